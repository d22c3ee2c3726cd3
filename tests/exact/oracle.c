/* Known native frames between Python frames: calls back into Python, works with and without the GIL, starts threads. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <pthread.h>
#include <stdint.h>

/* oracle.rs */
struct callback {
    PyObject *(*function)(PyObject *);
    PyObject *argument;
};
extern PyObject *oracle_rust_call(struct callback);
extern PyObject *oracle_rust_catch(struct callback);
extern PyObject *oracle_rust_recurse(struct callback);
extern uint64_t oracle_rust_spin(uint64_t rounds);
extern void oracle_rust_thread(uint64_t rounds);
extern uint64_t oracle_rust_births(struct callback, uint64_t milliseconds);

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

/* Python calls C, C calls Rust, Rust calls C, C calls Python. */
static PyObject *rust_call(PyObject *self, PyObject *callable)
{
    (void)self;
    PyObject *volatile result = oracle_rust_call((struct callback){inner_call, callable});
    return result;
}

static PyObject *rust_catch(PyObject *self, PyObject *callable)
{
    (void)self;
    PyObject *volatile result = oracle_rust_catch((struct callback){inner_call, callable});
    return result;
}

static PyObject *rust_recurse(PyObject *self, PyObject *callable)
{
    (void)self;
    PyObject *volatile result = oracle_rust_recurse((struct callback){inner_call, callable});
    return result;
}

static PyObject *rust_holding(PyObject *self, PyObject *rounds)
{
    (void)self;
    return PyLong_FromUnsignedLong(oracle_rust_spin(PyLong_AsUnsignedLong(rounds)));
}

static PyObject *rust_released(PyObject *self, PyObject *rounds)
{
    unsigned long count = PyLong_AsUnsignedLong(rounds), sum;
    (void)self;
    Py_BEGIN_ALLOW_THREADS
    sum = oracle_rust_spin(count);
    Py_END_ALLOW_THREADS
    return PyLong_FromUnsignedLong(sum);
}

static PyObject *rust_thread(PyObject *self, PyObject *rounds)
{
    unsigned long count = PyLong_AsUnsignedLong(rounds);
    (void)self;
    Py_BEGIN_ALLOW_THREADS
    oracle_rust_thread(count);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

static PyObject *attached_call(PyObject *callable)
{
    PyGILState_STATE state = PyGILState_Ensure();
    PyObject *result = inner_call(callable);
    Py_XDECREF(result);
    PyGILState_Release(state);
    return NULL;
}

static PyObject *rust_births(PyObject *self, PyObject *callable)
{
    unsigned long born;
    (void)self;
    Py_BEGIN_ALLOW_THREADS
    born = oracle_rust_births((struct callback){attached_call, callable}, 100);
    Py_END_ALLOW_THREADS
    return PyLong_FromUnsignedLong(born);
}

static PyMethodDef methods[] = {
    {"rust_call", rust_call, METH_O, NULL},
    {"rust_catch", rust_catch, METH_O, NULL},
    {"rust_recurse", rust_recurse, METH_O, NULL},
    {"rust_holding", rust_holding, METH_O, NULL},
    {"rust_released", rust_released, METH_O, NULL},
    {"rust_thread", rust_thread, METH_O, NULL},
    {"rust_births", rust_births, METH_O, NULL},
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
