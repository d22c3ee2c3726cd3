/* Known native frames between Python frames: calls back into Python, works with and without the GIL, starts threads. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <pthread.h>

/* Native frames with names of their own; `volatile` keeps the calls from becoming jumps. */
__attribute__((noinline)) static PyObject *inner_call(PyObject *callable)
{
    PyObject *volatile result = PyObject_CallNoArgs(callable);
    return result;
}

__attribute__((noinline)) static PyObject *outer_call(PyObject *callable)
{
    PyObject *volatile result = inner_call(callable);
    return result;
}

static PyObject *call_back(PyObject *self, PyObject *callable)
{
    (void)self;
    return outer_call(callable);
}

__attribute__((noinline)) static unsigned long spin(unsigned long rounds)
{
    volatile unsigned long sum = 0;
    for (unsigned long i = 0; i < rounds; i++)
        sum += i * i;
    return sum;
}

static PyObject *spin_holding(PyObject *self, PyObject *rounds)
{
    (void)self;
    return PyLong_FromUnsignedLong(spin(PyLong_AsUnsignedLong(rounds)));
}

static PyObject *spin_released(PyObject *self, PyObject *rounds)
{
    unsigned long count = PyLong_AsUnsignedLong(rounds), sum;
    (void)self;
    Py_BEGIN_ALLOW_THREADS
    sum = spin(count);
    Py_END_ALLOW_THREADS
    return PyLong_FromUnsignedLong(sum);
}

static void *stateless(void *rounds)
{
    spin((unsigned long)rounds);
    return NULL;
}

/* A thread without Python state, and one that takes a state for one call, as native servers do. */
static PyObject *spin_stateless(PyObject *self, PyObject *rounds)
{
    pthread_t thread;
    unsigned long count = PyLong_AsUnsignedLong(rounds);
    (void)self;
    Py_BEGIN_ALLOW_THREADS
    if (!pthread_create(&thread, NULL, stateless, (void *)count))
        pthread_join(thread, NULL);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

static void *attaching(void *callable)
{
    PyGILState_STATE state = PyGILState_Ensure();
    PyObject *result = outer_call(callable);
    Py_XDECREF(result);
    PyGILState_Release(state);
    spin(20000);
    return NULL;
}

static PyObject *call_from_thread(PyObject *self, PyObject *callable)
{
    pthread_t thread;
    (void)self;
    Py_BEGIN_ALLOW_THREADS
    if (!pthread_create(&thread, NULL, attaching, callable))
        pthread_join(thread, NULL);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"call_back", call_back, METH_O, NULL},
    {"spin_holding", spin_holding, METH_O, NULL},
    {"spin_released", spin_released, METH_O, NULL},
    {"spin_stateless", spin_stateless, METH_O, NULL},
    {"call_from_thread", call_from_thread, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "oracle", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_oracle(void)
{
    return PyModule_Create(&module);
}
