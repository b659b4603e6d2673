; Every command of the backdoor port from 16-bit real mode, with texts by pointer and inline; one line with the status of each.
; The last is EXIT with code 3: it comes behind the last line.
; Ends with: "real16: done"
%include "lib/boot.inc"
%include "lib/port.inc"

%macro SHOW 1
        PRINT   %1, ' '
        call    put_hex
        call    put_line
%endmacro

main:
        call    serial_init
        mov     ebx, ~REEL_MAGIC
        mov     esi, 0x00010001         ; versions 1 to 1
        xor     edi, edi
        REEL_CALL REEL_HELLO
        mov     [version], ecx
        mov     [magic], ebx
        SHOW    'HELLO'
        mov     eax, [magic]
        SHOW    'magic'
        mov     eax, [version]
        SHOW    'version'
        REEL_CALL REEL_STATUS
        SHOW    'STATUS'
        REEL_TEXT REEL_AUTH, 'no such token'
        SHOW    'AUTH'
        REEL_TEXT REEL_MARK, 'too early'
        SHOW    'MARK without recording'
        REEL_TEXT REEL_START, 'real16'
        SHOW    'START'
        REEL_TEXT REEL_START, 'real16-again'
        SHOW    'START again'
        REEL_TEXT REEL_BEGIN, 'phase'
        SHOW    'BEGIN'
        REEL_TEXT REEL_LOG, 'a line of the log'
        SHOW    'LOG'
        mov     ebx, 42
        REEL_TEXT REEL_MARK, 'answer'
        SHOW    'MARK'
        mov     ebx, 7
        mov     esi, 'inli'
        mov     edi, 'ne'
        REEL_CALL REEL_MARK, REEL_FLAG_INLINE
        SHOW    'MARK inline'
        mov     esi, 0x7C00
        mov     edi, 512
        REEL_CALL REEL_CHECK
        SHOW    'CHECK'
        mov     ebx, 1
        REEL_TEXT REEL_PUT, 'bytes for the host'
        SHOW    'PUT'
        mov     ebx, 1
        mov     esi, buffer
        mov     edi, 16
        REEL_CALL REEL_GET
        SHOW    'GET'
        REEL_CALL REEL_CHECKPOINT
        SHOW    'CHECKPOINT'
        REEL_TEXT REEL_END, 'phase'
        SHOW    'END'
        mov     ebx, 0
        REEL_TEXT REEL_VERDICT, 'real16'
        SHOW    'VERDICT'
        mov     esi, buffer
        mov     edi, 0x00100000
        REEL_CALL REEL_LOG
        SHOW    'LOG too long'
        REEL_CALL 99
        SHOW    'no such command'
        REEL_CALL REEL_STATUS, 0x8000
        SHOW    'no such flag'
        xor     ebx, ebx
        REEL_CALL REEL_STOP
        SHOW    'STOP'
        xor     ebx, ebx
        REEL_CALL REEL_STOP
        SHOW    'STOP again'
        ; what is no call finds an empty port
        mov     eax, 0x12345678
        mov     ecx, REEL_STATUS
        mov     dx, REEL_PORT
        in      eax, dx
        SHOW    'wrong magic'
        mov     eax, REEL_MAGIC
        in      ax, dx
        SHOW    '16 bits'
        mov     eax, REEL_MAGIC
        in      al, dx
        SHOW    '8 bits'
        PRINT   'real16: done', 13, 10
        mov     ebx, 3
        REEL_CALL REEL_EXIT
        SHOW    'EXIT'
        jmp     power_off

        align   4, db 0
version:        dd 0
magic:          dd 0
buffer:         times 16 db 0

%include "lib/console.inc"
%include "lib/end.inc"
