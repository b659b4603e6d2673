; Drives the floppy disk controller itself: interrupts, DMA, seeks, reads, writes, a format, and a transfer by the CPU.
; The image is the beginning of a 1.44 MB diskette; cylinders 40 and 41 are written.
; Ends with: "floppy: done"
%include "lib/boot.inc"

FDC_DOR         equ 0x3F2
FDC_MSR         equ 0x3F4
FDC_FIFO        equ 0x3F5
FDC_DIR         equ 0x3F7
BUFFER          equ 0x30000
COPY            equ 0x40000
SIDES_BYTES     equ 36*512
SECTORS         equ 18

; COMMAND 'name', bytes...: sends a command, waits for its interrupt where `wait` says so, prints its result.
%macro COMMAND 2+
        PRINT   %1, ':'
        mov     esi, %%bytes
        mov     ecx, %%end-%%bytes
        call    send
        jmp     short %%end
%%bytes: db     %2
%%end:
%endmacro

%macro RESULT 0
        call    get_result
        call    put_line
%endmacro

main:
        ENTER_FLAT32 flat

%include "lib/flat32.inc"
%include "lib/console.inc"

flat:
        call    serial_init
        mov     al, IRQ_BASE+6
        mov     edx, on_floppy
        call    set_gate
        mov     al, 0xBF                ; IRQ 6
        out     0x21, al
        sti

        ; reset: one interrupt, four drives to be sensed
        mov     dx, FDC_DOR
        mov     al, 0
        out     dx, al
        mov     al, 0x1C                ; drive A, motor, DMA and interrupts
        out     dx, al
        call    wait_interrupt
        mov     ebx, 4
.sense:
        COMMAND 'sense', 0x08
        RESULT
        dec     ebx
        jnz     .sense
        mov     dx, FDC_DIR
        mov     al, 0                   ; 500 kbit/s
        out     dx, al
        COMMAND 'version', 0x10
        RESULT
        COMMAND 'specify', 0x03, 0xAF, 0x02
        RESULT
        COMMAND 'configure', 0x13, 0x00, 0x17, 0x00
        RESULT
        COMMAND 'recalibrate', 0x07, 0x00
        call    wait_interrupt
        RESULT
        COMMAND 'sense', 0x08
        RESULT
        COMMAND 'seek', 0x0F, 0x00, 40
        call    wait_interrupt
        RESULT
        COMMAND 'sense', 0x08
        RESULT
        PRINT   'change line:'
        mov     dx, FDC_DIR
        in      al, dx
        and     eax, 0x80
        call    put_byte
        call    put_line
        COMMAND 'drive', 0x04, 0x04
        RESULT

        ; both sides of a cylinder
        mov     edi, BUFFER
        mov     ecx, SIDES_BYTES
        mov     eax, 0x12345678
.fill:
        imul    eax, eax, 0x01000193
        add     eax, 0x9E3779B9
        mov     edx, eax
        shr     edx, 24
        mov     [edi], dl
        inc     edi
        loop    .fill
        mov     al, 0x4A
        mov     esi, BUFFER
        mov     ecx, SIDES_BYTES
        call    program_dma
        COMMAND 'write', 0xC5, 0x00, 40, 0, 1, 2, SECTORS, 0x1B, 0xFF
        call    wait_interrupt
        RESULT
        mov     al, 0x46
        mov     esi, COPY
        mov     ecx, SIDES_BYTES
        call    program_dma
        COMMAND 'read', 0xC6, 0x00, 40, 0, 1, 2, SECTORS, 0x1B, 0xFF
        call    wait_interrupt
        RESULT
        mov     esi, BUFFER
        mov     edi, COPY
        mov     ecx, SIDES_BYTES
        call    compare
        PRINT   'DMA status:'
        in      al, 0x08
        and     eax, 0x04
        call    put_byte
        call    put_line

        ; the middle of a track, over its end
        mov     al, 0x46
        mov     esi, COPY
        mov     ecx, 3*512
        call    program_dma
        COMMAND 'read over the side', 0xE6, 0x00, 40, 0, 17, 2, SECTORS, 0x1B, 0xFF
        call    wait_interrupt
        RESULT
        mov     esi, BUFFER+16*512
        mov     edi, COPY
        mov     ecx, 3*512
        call    compare

        ; what is not there
        mov     al, 0x46
        mov     esi, COPY
        mov     ecx, 512
        call    program_dma
        COMMAND 'no such sector', 0x46, 0x00, 40, 0, 30, 2, 30, 0x1B, 0xFF
        call    wait_interrupt
        call    get_result_status
        call    put_line

        ; a track of another fill byte
        COMMAND 'seek', 0x0F, 0x04, 41
        call    wait_interrupt
        RESULT
        COMMAND 'sense', 0x08
        RESULT
        mov     edi, COPY
        mov     ecx, 1
.address:
        mov     byte [edi], 41
        mov     byte [edi+1], 1
        mov     [edi+2], cl
        mov     byte [edi+3], 2
        add     edi, 4
        inc     ecx
        cmp     ecx, SECTORS
        jbe     .address
        mov     al, 0x4A
        mov     esi, COPY
        mov     ecx, 4*SECTORS
        call    program_dma
        COMMAND 'format', 0x4D, 0x04, 2, SECTORS, 0x54, 0xF6
        call    wait_interrupt
        call    get_result_status
        call    put_line
        mov     al, 0x46
        mov     esi, COPY
        mov     ecx, SECTORS*512
        call    program_dma
        COMMAND 'read', 0x46, 0x04, 41, 1, 1, 2, SECTORS, 0x1B, 0xFF
        call    wait_interrupt
        RESULT
        mov     edi, BUFFER
        mov     ecx, SECTORS*512
        mov     al, 0xF6
        rep     stosb
        mov     esi, BUFFER
        mov     edi, COPY
        mov     ecx, SECTORS*512
        call    compare

        ; the boot sector, by the CPU
        COMMAND 'specify', 0x03, 0xAF, 0x03
        RESULT
        COMMAND 'recalibrate', 0x07, 0x00
        call    wait_interrupt
        RESULT
        COMMAND 'sense', 0x08
        RESULT
        COMMAND 'read by the CPU', 0x46, 0x00, 0, 0, 1, 2, 1, 0x1B, 0xFF
        mov     edi, COPY
        mov     ecx, 512
.byte:
        call    wait_ready
        mov     dx, FDC_FIFO
        in      al, dx
        stosb
        loop    .byte
        call    put_line
        mov     esi, boot_sector        ; behind its first bytes it has variables
        mov     edi, COPY
        mov     ecx, 64
        call    compare
        PRINT   'floppy: done', 13, 10
        jmp     power_off

on_floppy:
        push    eax
        inc     dword [interrupts]
        mov     al, 0x20
        out     0x20, al
        pop     eax
        iretd

; Until an interrupt that was not waited for.
wait_interrupt:
        cli
        mov     eax, [waited]
        cmp     eax, [interrupts]
        jne     .came
        sti
        hlt
        jmp     wait_interrupt
.came:
        inc     dword [waited]
        sti
        ret

; Until the FIFO is ready -> AL main status.
wait_ready:
        mov     dx, FDC_MSR
.again:
        in      al, dx
        test    al, 0x80
        jz      .again
        ret

; ESI, ECX: bytes of a command.
send:
        push    eax
        push    edx
.next:
        call    wait_ready
        lodsb
        mov     dx, FDC_FIFO
        out     dx, al
        loop    .next
        pop     edx
        pop     eax
        ret

; Prints the result in hexadecimal.
get_result:
        call    wait_ready
        test    al, 0x40
        jz      .done
        mov     dx, FDC_FIFO
        in      al, dx
        call    put_byte
        jmp     get_result
.done:
        ret

; Prints ST0 to ST2 and drops the rest.
get_result_status:
        mov     ecx, 7
.next:
        call    wait_ready
        mov     dx, FDC_FIFO
        in      al, dx
        cmp     ecx, 4
        jbe     .dropped
        call    put_byte
.dropped:
        loop    .next
        ret

; AL -> a blank and two digits.
put_byte:
        push    eax
        push    eax
        mov     al, ' '
        call    put_char
        mov     al, [esp]
        shr     al, 4
        call    .digit
        pop     eax
        and     al, 0x0F
        call    .digit
        pop     eax
        ret
.digit:
        add     al, '0'
        cmp     al, '9'
        jbe     .put
        add     al, 'a'-'0'-10
.put:
        jmp     put_char

; AL mode, ESI address, ECX bytes: channel 2.
program_dma:
        push    eax
        mov     al, 0x06
        out     0x0A, al
        pop     eax
        out     0x0B, al
        out     0x0C, al
        mov     eax, esi
        out     0x04, al
        mov     al, ah
        out     0x04, al
        shr     eax, 16
        out     0x81, al
        lea     eax, [ecx-1]
        out     0x05, al
        mov     al, ah
        out     0x05, al
        mov     al, 0x02
        out     0x0A, al
        ret

; ESI and EDI, ECX bytes.
compare:
        repe    cmpsb
        jne     .differ
        PRINT   'contents: equal', 13, 10
        ret
.differ:
        PRINT   'contents: different', 13, 10
        ret

        align   4, db 0
interrupts:     dd 0
waited:         dd 0
%include "lib/end.inc"
