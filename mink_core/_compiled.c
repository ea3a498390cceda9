/* What is done for every value stored, in C. Compiled where there is a compiler (hatch_build.py); mink_core/compiled.py
 * says what holds where there is none. Only the stable ABI of Python 3.11, so that one build serves every later version.
 *
 * No Python code runs within: the interpreter's lock is held throughout, and what is looked at cannot change meanwhile.
 */
#define Py_LIMITED_API 0x030B0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* From here on a number needs more than the encoder: json_codec.py writes it out. */
#define EXPONENT 1e16

/* 1: plain JSON; 0: look closely, which finds the reason; -1: an exception is set. `levels` may still be opened. */
static int is_plain(PyObject *value, long levels)
{
    PyTypeObject *type = Py_TYPE(value);

    if (type == &PyUnicode_Type || value == Py_None || type == &PyBool_Type)
        return 1;
    if (type == &PyLong_Type) {
        int overflow;
        if (PyLong_AsLongLongAndOverflow(value, &overflow) == -1 && PyErr_Occurred())
            return -1;
        return !overflow;
    }
    if (type == &PyFloat_Type) {
        double number = PyFloat_AsDouble(value);
        return -EXPONENT < number && number < EXPONENT; /* not true of NaN */
    }
    if (levels <= 0)
        return 0;
    if (type == &PyDict_Type) {
        PyObject *key, *item;
        Py_ssize_t place = 0;
        while (PyDict_Next(value, &place, &key, &item)) {
            int found = Py_TYPE(key) == &PyUnicode_Type ? is_plain(item, levels - 1) : 0;
            if (found != 1)
                return found;
        }
        return 1;
    }
    if (type == &PyList_Type) {
        Py_ssize_t size = PyList_Size(value);
        for (Py_ssize_t index = 0; index < size; index++) {
            int found = is_plain(PyList_GetItem(value, index), levels - 1);
            if (found != 1)
                return found;
        }
        return 1;
    }
    return 0;
}

PyDoc_STRVAR(is_plain_json_doc, "is_plain_json(value, levels, /)\n--\n\nSee `mink_core.compiled`.");

static PyObject *is_plain_json(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    (void)module;
    if (count != 2) {
        PyErr_Format(PyExc_TypeError, "is_plain_json takes a value and how many levels it may have, not %zd arguments", count);
        return NULL;
    }
    long levels = PyLong_AsLong(args[1]);
    if (levels == -1 && PyErr_Occurred())
        return NULL;
    int found = is_plain(args[0], levels);
    return found < 0 ? NULL : PyBool_FromLong(found);
}

static PyMethodDef functions[] = {
    {"is_plain_json", (PyCFunction)(void (*)(void))is_plain_json, METH_FASTCALL, is_plain_json_doc},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {{0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "mink_core._compiled", .m_size = 0, .m_methods = functions, .m_slots = slots,
};

PyMODINIT_FUNC PyInit__compiled(void)
{
    return PyModuleDef_Init(&definition);
}
