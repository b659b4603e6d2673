; VMware's backdoor, as its own tools use it: version, then the state logger: replayable, start, stop.
; Ends with: "vmport: done"
%include "lib/boot.inc"

VM_MAGIC        equ 0x564D5868
VM_PORT         equ 0x5658
VM_GETVERSION   equ 10
VM_STATELOGGER  equ 47

; VM_CALL command, EBX
%macro VM_CALL 2
        mov     eax, VM_MAGIC
        mov     ebx, %2
        mov     ecx, %1
        mov     edx, VM_PORT
        in      eax, dx
%endmacro

%macro SHOW 1
        PRINT   %1, ' '
        call    put_hex
        call    put_line
%endmacro

main:
        call    serial_init
        VM_CALL VM_GETVERSION, 0
        push    ebx
        push    ecx
        SHOW    'version'
        pop     eax
        SHOW    'product'
        pop     eax
        SHOW    'magic'
        VM_CALL VM_STATELOGGER, 0
        SHOW    'replayable'
        VM_CALL VM_STATELOGGER, 1
        SHOW    'start'
        mov     ecx, 10000
.work:
        dec     ecx
        jnz     .work
        VM_CALL VM_STATELOGGER, 2
        SHOW    'stop'
        VM_CALL VM_STATELOGGER, 2
        SHOW    'stop again'
        VM_CALL VM_STATELOGGER, 9
        SHOW    'nonsense'
        PRINT   'vmport: done', 13, 10
        jmp     power_off

%include "lib/console.inc"
%include "lib/end.inc"
