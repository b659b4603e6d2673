; The mouse and power management through INT 15h. COM1: one line for each failed check, "mouse: ready", a line "packet STATUS X Y Z"
; for each packet, and when the right button is pressed "apm: ..." before it switches off through APM.
%include "lib/boot.inc"

main:
        call    serial_init
        int     0x11
        test    al, 0x04
        CHECK   'equipment', nz
        call    check_refusals
        call    start
        call    check_settings
        PRINT   'mouse: ready', 13, 10
.next:
        sti
        hlt
        cli
        mov     al, [packets_told]
        cmp     al, [packets]
        je      .next
        inc     byte [packets_told]
        PRINT   'packet'
        mov     si, packet
        mov     cx, 4
.word:
        PRINT   ' '
        lodsw
        movzx   eax, ax
        call    put_number
        loop    .word
        call    put_line
        test    byte [packet], 0x02
        jz      .next
        sti
        mov     ax, 0xC200              ; off
        mov     bh, 0
        int     0x15
        CHECK   'disable', nc
        call    check_apm
        movzx   eax, word [failures]
        test    ax, ax
        jnz     .failed
        PRINT   'mouse: ok', 13, 10
        jmp     apm_off
.failed:
        PRINT   'mouse: '
        call    put_number
        PRINT   ' failed', 13, 10
apm_off:
        mov     ax, 0x5307
        mov     bx, 1
        mov     cx, 3
        int     0x15
.halt:
        PRINT   'still here', 13, 10
        cli
        hlt
        jmp     .halt

failures:       dw 0
packets:        db 0
packets_told:   db 0
packet:         dw 0, 0, 0, 0

check_refusals:
        mov     ax, 0xC2FF
        int     0x15
        CHECK   'no such function', c
        cmp     ah, 1
        CHECK   'no such function, why', e
        mov     ax, 0xC202
        mov     bh, 7
        int     0x15
        CHECK   'no such rate', c
        cmp     ah, 2
        CHECK   'no such rate, why', e
        mov     ax, 0xC203
        mov     bh, 4
        int     0x15
        CHECK   'no such resolution', c
        mov     ax, 0xC205
        mov     bh, 9
        int     0x15
        CHECK   'no such packet', c
        ret

start:
        mov     ax, 0xC205
        mov     bh, 3
        int     0x15
        CHECK   'initialise', nc
        cmp     ah, 0
        CHECK   'initialised', e
        mov     ax, 0xC207
        push    cs
        pop     es
        mov     bx, handler
        int     0x15
        CHECK   'handler', nc
        mov     ax, 0xC200
        mov     bh, 1
        int     0x15
        CHECK   'enable', nc
        ret

check_settings:
        mov     ax, 0xC201
        xor     bx, bx
        int     0x15
        CHECK   'reset', nc
        cmp     bx, 0x00AA
        CHECK   'reset, answer', e
        mov     ax, 0xC202
        mov     bh, 4                   ; 80
        int     0x15
        CHECK   'rate', nc
        mov     ax, 0xC203
        mov     bh, 3
        int     0x15
        CHECK   'resolution', nc
        mov     ax, 0xC206
        mov     bh, 2
        int     0x15
        CHECK   'scaling', nc
        mov     ax, 0xC204
        mov     bh, 0xFF
        int     0x15
        CHECK   'type', nc
        cmp     bh, 0
        CHECK   'type, answer', e
        mov     ax, 0xC200              ; the reset has switched it off
        mov     bh, 1
        int     0x15
        CHECK   'enable again', nc
        mov     ax, 0xC206
        mov     bh, 0
        int     0x15
        CHECK   'status', nc
        and     bl, 0x30
        cmp     bl, 0x30                ; enabled, 2:1
        CHECK   'status, flags', e
        cmp     cl, 3
        CHECK   'status, resolution', e
        cmp     dl, 80
        CHECK   'status, rate', e
        mov     ax, 0xC206
        mov     bh, 1
        int     0x15
        CHECK   'scaling back', nc
        ret

; Status, x, y, z on the stack, the first highest.
handler:
        push    bp
        mov     bp, sp
        push    ax
        push    ds
        push    cs
        pop     ds
        mov     ax, [bp+12]
        mov     [packet], ax
        mov     ax, [bp+10]
        mov     [packet+2], ax
        mov     ax, [bp+8]
        mov     [packet+4], ax
        mov     ax, [bp+6]
        mov     [packet+6], ax
        inc     byte [packets]
        pop     ds
        pop     ax
        pop     bp
        retf

check_apm:
        mov     ax, 0x5300
        xor     bx, bx
        int     0x15
        CHECK   'APM', nc
        cmp     ax, 0x0102
        CHECK   'APM version', e
        cmp     bx, 'MP'
        CHECK   'APM signature', e
        mov     ax, 0x5305
        int     0x15
        CHECK   'APM is not connected', c
        cmp     ah, 3
        CHECK   'APM is not connected, why', e
        mov     ax, 0x5301
        xor     bx, bx
        int     0x15
        CHECK   'APM connects', nc
        mov     ax, 0x5301
        xor     bx, bx
        int     0x15
        CHECK   'APM is connected', c
        mov     ax, 0x5303
        xor     bx, bx
        int     0x15
        CHECK   'APM has no 32-bit interface', c
        cmp     ah, 8
        CHECK   'APM has no 32-bit interface, why', e
        mov     ax, 0x530E
        xor     bx, bx
        mov     cx, 0x0101
        int     0x15
        CHECK   'APM driver', nc
        cmp     ax, 0x0101
        CHECK   'APM driver, version', e
        mov     ax, 0x530A
        mov     bx, 1
        int     0x15
        CHECK   'APM status', nc
        cmp     bh, 1
        CHECK   'APM on line', e
        mov     ax, 0x530B
        int     0x15
        CHECK   'APM event', c
        cmp     ah, 0x80
        CHECK   'APM event, none', e
        mov     ax, 0x5305
        int     0x15
        CHECK   'APM idle', nc
        mov     ax, 0x5306
        int     0x15
        CHECK   'APM busy', nc
        mov     ax, 0x5307
        mov     bx, 1
        mov     cx, 2
        int     0x15
        CHECK   'APM does not suspend', c
        mov     ax, 0x5307
        mov     bx, 0x0100
        mov     cx, 3
        int     0x15
        CHECK   'APM knows no such device', c
        ret

%include "lib/console.inc"
%include "lib/end.inc"
