; A multiboot 1 kernel (addresses in its header): prints what the loader told it.
; Ends with: "multiboot: ok" or "multiboot: wrong magic"
        cpu     686
        org     0x100000
        bits    32

%include "lib/names.inc"

MULTIBOOT_MAGIC equ 0x1BADB002
MULTIBOOT_FLAGS equ 0x00010003          ; addresses below; memory information; modules at pages

        align   4, db 0
header:
        dd      MULTIBOOT_MAGIC, MULTIBOOT_FLAGS, -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)
        dd      header, header, file_end, bss_end, start

start:
        mov     esp, stack_top
        mov     edi, eax
        call    serial_init
        cmp     edi, 0x2BADB002
        je      .loaded
        PRINT   'multiboot: wrong magic', 13, 10
        jmp     power_off
.loaded:
        PRINT   'lower '
        mov     eax, [ebx+4]
        call    put_number
        PRINT   ' KiB, upper '
        mov     eax, [ebx+8]
        call    put_number
        PRINT   ' KiB', 13, 10
        PRINT   'command line: '
        mov     esi, [ebx+16]
        call    put_text
        call    put_line
        PRINT   'loader: '
        mov     esi, [ebx+64]
        call    put_text
        call    put_line
        ; modules: size, sum of the bytes, text
        mov     ecx, [ebx+20]
        mov     edi, [ebx+24]
        jecxz   .map
.module:
        PRINT   'module: '
        mov     eax, [edi+4]
        sub     eax, [edi]
        call    put_number
        PRINT   ' bytes, sum '
        push    ecx
        mov     esi, [edi]
        mov     ecx, [edi+4]
        sub     ecx, esi
        xor     edx, edx
        xor     eax, eax
.sum:
        lodsb
        add     edx, eax
        loop    .sum
        pop     ecx
        mov     eax, edx
        call    put_number
        PRINT   ', '
        mov     esi, [edi+8]
        call    put_text
        call    put_line
        add     edi, 16
        loop    .module
.map:
        mov     edi, [ebx+48]
        mov     ecx, [ebx+44]
        add     ecx, edi
.range:
        PRINT   'memory '
        mov     eax, [edi+4]
        call    put_hex
        PRINT   ' '
        mov     eax, [edi+12]
        call    put_hex
        PRINT   ' '
        mov     eax, [edi+20]
        call    put_number
        call    put_line
        add     edi, [edi]
        add     edi, 4
        cmp     edi, ecx
        jb      .range
        PRINT   'multiboot: ok', 13, 10
        jmp     power_off

%include "lib/console.inc"

        align   4, db 0
file_end:
        absolute $
        resb    4096
stack_top:
bss_end:
