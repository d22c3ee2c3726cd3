/* Looks like an interpreter from outside, of a version that does not exist, with nothing where anything should be. */
#include <stdio.h>
#include <unistd.h>

#ifndef HEX
#define HEX 0x03630000UL
#endif

unsigned char _PyRuntime[4096] = {1};
unsigned char PyCode_Type[512] = {1};
const unsigned long Py_Version = HEX;

int _PyEval_EvalFrameDefault(void)
{
    return _PyRuntime[0];
}

int main(void)
{
    puts("ready");
    fflush(stdout);
    return getchar() == _PyEval_EvalFrameDefault();
}
