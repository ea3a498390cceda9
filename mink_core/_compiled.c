/* What is done for every value stored and looked at, in C. Compiled where there is a compiler (hatch_build.py);
 * mink_core/compiled.py says what holds where there is none. Only the stable ABI of Python 3.11, so that one build serves
 * every later version.
 */
#define Py_LIMITED_API 0x030B0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

/* From here on a number needs more than the encoder: json_codec.py writes it out. */
#define EXPONENT 1e16

/* 1: plain JSON; 0: look closely, which finds the reason; -1: an exception is set. `levels` may still be opened.
 * No Python code runs within: the interpreter's lock is held throughout, and what is looked at cannot change meanwhile.
 */
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

typedef struct {
    PyObject_HEAD
    PyObject *slot, *undecoded, *decode, *fget, *doc;
    descrgetfunc get;
    descrsetfunc set;
    int or_empty; /* {} in place of null */
} Field;

static PyObject *field_get(PyObject *self, PyObject *object, PyObject *type)
{
    Field *field = (Field *)self;
    if (object == NULL)
        return Py_NewRef(self);
    PyObject *value = field->get(field->slot, object, type);
    if (value == NULL || (PyObject *)Py_TYPE(value) != field->undecoded)
        return value;
    PyObject *decoded = PyObject_CallFunctionObjArgs(field->decode, value, NULL);
    Py_DECREF(value);
    if (decoded == Py_None && field->or_empty) {
        Py_DECREF(decoded);
        decoded = PyDict_New();
    }
    if (decoded != NULL && field->set(field->slot, object, decoded) < 0)
        Py_CLEAR(decoded);
    return decoded;
}

static PyObject *field_new(PyTypeObject *type, PyObject *args, PyObject *named)
{
    PyObject *slot, *undecoded, *decode, *fget;
    int or_empty;
    if (!PyArg_ParseTuple(args, "OOOOp:DecodedField", &slot, &undecoded, &decode, &fget, &or_empty))
        return NULL;
    descrgetfunc get = (descrgetfunc)PyType_GetSlot(Py_TYPE(slot), Py_tp_descr_get);
    descrsetfunc set = (descrsetfunc)PyType_GetSlot(Py_TYPE(slot), Py_tp_descr_set);
    if (named != NULL || get == NULL || set == NULL)
        return PyErr_Format(PyExc_TypeError, "DecodedField takes five arguments by place, the first a slot, not %R", slot);
    Field *field = (Field *)PyType_GenericAlloc(type, 0);
    if (field == NULL)
        return NULL;
    field->slot = Py_NewRef(slot);
    field->undecoded = Py_NewRef(undecoded);
    field->decode = Py_NewRef(decode);
    field->fget = Py_NewRef(fget);
    field->get = get;
    field->set = set;
    field->or_empty = or_empty;
    if ((field->doc = PyObject_GetAttrString(fget, "__doc__")) == NULL) {
        Py_DECREF(field);
        return NULL;
    }
    return (PyObject *)field;
}

static void field_dealloc(PyObject *self)
{
    Field *field = (Field *)self;
    PyTypeObject *type = Py_TYPE(self);
    Py_XDECREF(field->slot);
    Py_XDECREF(field->undecoded);
    Py_XDECREF(field->decode);
    Py_XDECREF(field->fget);
    Py_XDECREF(field->doc);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF(type);
}

static PyMemberDef field_members[] = {
    {"fget", T_OBJECT_EX, offsetof(Field, fget), READONLY, NULL},
    {"__doc__", T_OBJECT_EX, offsetof(Field, doc), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot field_slots[] = {
    {Py_tp_new, field_new},
    {Py_tp_dealloc, field_dealloc},
    {Py_tp_descr_get, field_get},
    {Py_tp_members, field_members},
    {0, NULL},
};

static PyType_Spec field_spec = {"mink_core._compiled.DecodedField", sizeof(Field), 0, Py_TPFLAGS_DEFAULT, field_slots};

static PyMethodDef functions[] = {
    {"is_plain_json", (PyCFunction)(void (*)(void))is_plain_json, METH_FASTCALL, is_plain_json_doc},
    {NULL, NULL, 0, NULL},
};

static int add_type(PyObject *module)
{
    PyObject *type = PyType_FromSpec(&field_spec);
    int failed = type == NULL || PyModule_AddType(module, (PyTypeObject *)type) < 0;
    Py_XDECREF(type);
    return -failed;
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, add_type}, {0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "mink_core._compiled", .m_size = 0, .m_methods = functions, .m_slots = slots,
};

PyMODINIT_FUNC PyInit__compiled(void)
{
    return PyModuleDef_Init(&definition);
}
