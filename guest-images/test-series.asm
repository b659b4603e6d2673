; Makes recordings one after the other. Offset 8 of the image: how many; offset 12: lines of the log in each, with some work between
; them. Prints the status of each START and STOP, and the first status of a LOG that is not 0.
; Ends with: "series: done"
%define PARAMETER_1 3
%define PARAMETER_2 10
%include "lib/boot.inc"
%include "lib/port.inc"

%macro SHOW 1
        PRINT   %1, ' '
        call    put_number
        call    put_line
%endmacro

main:
        call    serial_init
.next:
        cmp     dword [parameter_1], 0
        je      .done
        dec     dword [parameter_1]
        REEL_TEXT REEL_START, 'series'
        SHOW    'start'
        xor     ebp, ebp                ; first refusal
        mov     dword [lines], 0
.line:
        mov     eax, [lines]
        cmp     eax, [parameter_2]
        jae     .stop
        inc     dword [lines]
        mov     ecx, 3000
.work:
        dec     ecx
        jnz     .work
        imul    eax, eax, 0x9E3779B1
        mov     [number], eax           ; two lines are never the same
        and     dword [number], 0x0F0F0F0F
        or      dword [number], 0x40404040
        mov     esi, text
        mov     edi, text_end-text
        REEL_CALL REEL_LOG
        test    ebp, ebp
        jnz     .line
        mov     ebp, eax
        jmp     .line
.stop:
        mov     eax, ebp
        SHOW    'log'
        xor     ebx, ebx
        REEL_CALL REEL_STOP
        SHOW    'stop'
        jmp     .next
.done:
        PRINT   'series: done', 13, 10
        jmp     power_off

        align   4, db 0
lines:          dd 0
text:           db 'line '
number:         dd 0
                db ' of the log'
text_end:

%include "lib/console.inc"
%include "lib/end.inc"
