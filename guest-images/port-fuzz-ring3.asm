; Random registers into the backdoor port from ring 3: see port-fuzz.asm.
%define RING3
%include "port-fuzz.asm"
