/* A page's rows made into events. Compiled where there is a compiler (hatch_build.py); what it is not certain of is left to
 * the same in Python (rows.py), which also finds the words of an error. Only the stable ABI of Python 3.11.
 */
#define Py_LIMITED_API 0x030B0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>

enum { POSITION, STREAM, VERSION, ID, TYPE, DATA, METADATA, TIME, COLUMNS };

/* What an event is made of; borrowed from the caller. */
typedef struct {
    PyObject *event, *raw, *datetime, *utc;
} Makers;

#define DAY 86400000000LL         /* microseconds */
#define FIRST (-63082281600000000LL) /* 0001-01-01, counted from 2000-01-01 */
#define AFTER 252455616000000000LL   /* 10000-01-01 */

/* The time that the server sent: microseconds since 2000-01-01, eight bytes, the highest first. NULL without an exception:
 * look closely. */
static PyObject *time_of(PyObject *sent, const Makers *makers)
{
    if (!PyBytes_Check(sent) || PyBytes_Size(sent) != 8)
        return NULL;
    const unsigned char *bytes = (const unsigned char *)PyBytes_AsString(sent);
    unsigned long long unsigned_count = 0;
    for (int index = 0; index < 8; index++)
        unsigned_count = unsigned_count << 8 | bytes[index];
    long long count = (long long)unsigned_count;
    if (count < FIRST || count >= AFTER)
        return NULL;
    /* From March of the year 0 on, leap days come last: H. Hinnant, chrono-Compatible Low-Level Date Algorithms. */
    long long days = (count - FIRST) / DAY + 306, left = (count - FIRST) % DAY;
    long long era = days / 146097, of_era = days % 146097;
    long long year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    long long of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    long long from_march = (5 * of_year + 2) / 153, day = of_year - (153 * from_march + 2) / 5 + 1;
    long long month = from_march < 10 ? from_march + 3 : from_march - 9;
    long long year = year_of_era + era * 400 + (month <= 2);
    long long seconds = left / 1000000, micros = left % 1000000;
    /* As a pickle of it has them, of which datetime makes itself in a third of the time that seven numbers take. */
    char state[10] = {
        (char)(year >> 8), (char)year, (char)month, (char)day, (char)(seconds / 3600), (char)(seconds / 60 % 60),
        (char)(seconds % 60), (char)(micros >> 16), (char)(micros >> 8), (char)micros,
    };
    PyObject *packed = PyBytes_FromStringAndSize(state, sizeof state);
    if (packed == NULL)
        return NULL;
    PyObject *made = PyObject_CallFunctionObjArgs(makers->datetime, packed, makers->utc, NULL);
    Py_DECREF(packed);
    return made;
}

/* A row's event. NULL without an exception: look closely. */
static PyObject *event_of(PyObject *row, const Makers *makers)
{
    PyObject *cells[COLUMNS] = {NULL}, *data = NULL, *metadata = NULL, *time = NULL, *event = NULL;
    Py_ssize_t size = PySequence_Size(row);
    if (size != COLUMNS)
        return NULL;
    for (int column = 0; column < COLUMNS; column++)
        if ((cells[column] = PySequence_GetItem(row, column)) == NULL)
            goto done;
    if ((time = time_of(cells[TIME], makers)) == NULL)
        goto done;
    if ((data = PyObject_CallFunctionObjArgs(makers->raw, cells[DATA], NULL)) == NULL)
        goto done;
    metadata = cells[METADATA] == Py_None ? PyDict_New() : PyObject_CallFunctionObjArgs(makers->raw, cells[METADATA], NULL);
    if (metadata == NULL)
        goto done;
    event = PyObject_CallFunctionObjArgs(
        makers->event, cells[STREAM], cells[VERSION], cells[POSITION], cells[ID], cells[TYPE], data, metadata, time, NULL);
done:
    for (int column = 0; column < COLUMNS; column++)
        Py_XDECREF(cells[column]);
    Py_XDECREF(data);
    Py_XDECREF(metadata);
    Py_XDECREF(time);
    return event;
}

PyDoc_STRVAR(events_of_doc, "events_of(rows, event, raw, datetime, utc, /)\n--\n\nSee `mink_postgres.rows`.");

static PyObject *events_of(PyObject *module, PyObject *args)
{
    PyObject *rows;
    Makers makers;
    (void)module;
    if (!PyArg_ParseTuple(
            args, "OOOOO:events_of", &rows, &makers.event, &makers.raw, &makers.datetime, &makers.utc))
        return NULL;
    Py_ssize_t size = PySequence_Size(rows);
    PyObject *events = size < 0 ? NULL : PyList_New(size);
    if (events == NULL)
        return NULL;
    for (Py_ssize_t index = 0; index < size; index++) {
        PyObject *row = PySequence_GetItem(rows, index);
        PyObject *event = row == NULL ? NULL : event_of(row, &makers);
        Py_XDECREF(row);
        if (event == NULL) {
            Py_DECREF(events);
            return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
        }
        PyList_SetItem(events, index, event);
    }
    return events;
}

static PyMethodDef functions[] = {
    {"events_of", events_of, METH_VARARGS, events_of_doc},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {{0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "mink_postgres._rows", .m_size = 0, .m_methods = functions, .m_slots = slots,
};

PyMODINIT_FUNC PyInit__rows(void)
{
    return PyModuleDef_Init(&definition);
}
