; Asks the services of the boot ROM and compares what they say; one line on COM1 for each failed check.
; Ends with: "bios: ok" or "bios: N failed"
%include "lib/boot.inc"

main:
        call    serial_init
        call    check_memory
        call    check_video
        call    check_keyboard
        call    check_time
        call    check_disk
        call    check_block_move
        call    check_serial
        xor     eax, eax
        mov     ax, [failures]
        test    ax, ax
        jnz     .failed
        PRINT   'bios: ok', 13, 10
        jmp     power_off
.failed:
        PRINT   'bios: '
        call    put_number
        PRINT   ' failed', 13, 10
        jmp     power_off

failures:       dw 0

check_memory:
        int     0x12
        cmp     ax, 639
        CHECK   'base memory', e
        int     0x11
        test    ax, 0x0002
        CHECK   'coprocessor', nz
        mov     ah, 0x88
        int     0x15
        CHECK   'extended memory', nc
        mov     [extended], ax
        mov     ax, 0xE801
        int     0x15
        CHECK   'E801h', nc
        cmp     ax, cx
        CHECK   'E801h AX = CX', e
        ; E820h: print the map
        xor     ebx, ebx
.next:
        mov     eax, 0xE820
        mov     ecx, 20
        mov     edx, 'PAMS'
        mov     di, buffer
        int     0x15
        CHECK   'E820h', nc
        jc      .done
        cmp     eax, 'PAMS'
        CHECK   'E820h signature', e
        cmp     ecx, 20
        CHECK   'E820h size', e
        PRINT   'e820: '
        mov     eax, [buffer]
        call    put_hex
        PRINT   ' '
        mov     eax, [buffer+8]
        call    put_hex
        PRINT   ' '
        mov     eax, [buffer+16]
        call    put_number
        call    put_line
        test    ebx, ebx
        jnz     .next
.done:
        mov     ah, 0xC1
        int     0x15
        CHECK   'EBDA', nc
        mov     ax, es
        cmp     ax, 0x9FC0
        CHECK   'EBDA segment', e
        mov     ah, 0xC0
        int     0x15
        CHECK   'configuration', nc
        cmp     byte [es:bx+2], 0xFC
        CHECK   'model', e
        push    ds
        pop     es
        ; A20 off and on: 0:500h and FFFF:510h are the same byte only while it is off
        mov     ax, 0x2400
        int     0x15
        CHECK   'A20 off', nc
        mov     ax, 0xFFFF
        mov     es, ax
        mov     byte [0x500], 0x11
        mov     byte [es:0x510], 0x22
        cmp     byte [0x500], 0x22
        CHECK   'A20 wraps', e
        mov     ax, 0x2401
        int     0x15
        mov     byte [es:0x510], 0x33
        cmp     byte [0x500], 0x33
        CHECK   'A20 reaches', ne
        push    ds
        pop     es
        mov     ax, 0x2402
        int     0x15
        cmp     al, 1
        CHECK   'A20 status', e
        ret

; Pixels and characters in a mode of each kind.
check_graphics:
        mov     si, .modes
.mode:
        lodsb
        cmp     al, 0xFF
        je      .over
        mov     ah, 0
        int     0x10
        mov     ah, 0x0F
        int     0x10
        cmp     al, [si-1]
        CHECK   'graphics mode', e
        mov     ax, 0x0C01
        mov     cx, 33
        mov     dx, 77
        int     0x10
        mov     ax, 0x0D00
        int     0x10
        cmp     al, 1
        CHECK   'pixel', e
        mov     ax, 0x0D00
        inc     cx
        int     0x10
        cmp     al, 0
        CHECK   'pixel beside it', e
        ; a full block in the first cell, scrolled away
        mov     ah, 0x02
        xor     bh, bh
        xor     dx, dx
        int     0x10
        mov     ax, 0x0E00 + 0xDB
        mov     bx, 0x0001
        int     0x10
        mov     ax, 0x0D00
        mov     cx, 3
        mov     dx, 3
        int     0x10
        cmp     al, 1
        CHECK   'character', e
        mov     ax, 0x0601
        xor     bx, bx
        xor     cx, cx
        mov     dx, 0x1827
        int     0x10
        mov     ax, 0x0D00
        mov     cx, 3
        mov     dx, 3
        int     0x10
        cmp     al, 0
        CHECK   'scrolled', e
        jmp     .mode
.over:
        mov     ax, 0x0003
        int     0x10
        ret
.modes: db      0x04, 0x06, 0x0D, 0x0E, 0x10, 0x12, 0x13, 0xFF

check_video:
        mov     ax, 0x0003
        int     0x10
        mov     ah, 0x0F
        int     0x10
        cmp     ax, 80*256+3
        CHECK   'video mode', e
        mov     ah, 0x02
        xor     bh, bh
        mov     dx, 0x184E              ; row 24, column 78
        int     0x10
        mov     si, .text
.next:
        lodsb
        test    al, al
        jz      .written
        mov     ah, 0x0E
        mov     bx, 7
        int     0x10
        jmp     .next
.written:
        mov     ah, 0x03
        xor     bh, bh
        int     0x10
        cmp     dx, 0x1801              ; it wrapped and scrolled
        CHECK   'cursor', e
        push    es
        mov     ax, 0xB800
        mov     es, ax
        mov     ax, [es:(23*80+78)*2]
        cmp     ax, 0x0741
        CHECK   'text 1', e
        mov     ax, [es:24*80*2]
        cmp     ax, 0x0743
        CHECK   'text 2', e
        mov     word [es:160], 0x1F58
        pop     es
        mov     ax, 0x0701              ; scroll a window down
        mov     bh, 0x2E
        mov     cx, 0x0100
        mov     dx, 0x0502
        int     0x10
        mov     ah, 0x02
        xor     bh, bh
        mov     dx, 0x0200
        int     0x10
        mov     ah, 0x08
        int     0x10
        cmp     ax, 0x1F58
        CHECK   'scroll down', e
        mov     ah, 0x02
        mov     dx, 0x0100
        int     0x10
        mov     ah, 0x08
        int     0x10
        cmp     ax, 0x2E20
        CHECK   'scroll fill', e
        mov     ax, 0x1301
        mov     bx, 0x001E
        mov     cx, 5
        mov     dx, 0x0A10
        mov     bp, .text
        int     0x10
        mov     ah, 0x03
        int     0x10
        cmp     dx, 0x0A15
        CHECK   'write string', e
        mov     ax, 0x1130
        mov     bh, 6
        int     0x10
        cmp     cx, 16
        CHECK   'character height', e
        push    ds
        pop     es
        mov     ax, 0x1A00
        int     0x10
        cmp     bx, 0x0008
        CHECK   'display combination', e
        mov     ax, 0x0003
        int     0x10
        ret
.text:  db      'AB', 'C', 0, 0

check_keyboard:
        mov     ah, 0x01
        int     0x16
        CHECK   'no key waits', z
        mov     ah, 0x05
        mov     cx, 0x1E61
        int     0x16
        test    al, al
        CHECK   'key pushed', z
        mov     ah, 0x11
        int     0x16
        CHECK   'key waits', nz
        mov     ah, 0x10
        int     0x16
        cmp     ax, 0x1E61
        CHECK   'key read', e
        mov     ah, 0x05
        mov     cx, 0x48E0
        int     0x16
        mov     ah, 0x00
        int     0x16
        cmp     ax, 0x4800
        CHECK   'grey key as keypad', e
        ret

check_time:
        mov     ah, 0x00
        int     0x1A
        mov     bx, dx
.tick:
        hlt
        mov     ah, 0x00
        int     0x1A
        cmp     dx, bx
        je      .tick
        mov     ah, 0x02
        int     0x1A
        CHECK   'clock', nc
        cmp     ch, 0x24
        CHECK   'hours', b
        mov     ah, 0x04
        int     0x1A
        CHECK   'date', nc
        cmp     ch, 0x20
        CHECK   'century', e
        mov     ax, 0xB101
        int     0x1A
        CHECK   'PCI BIOS', nc
        cmp     edx, 'PCI '
        CHECK   'PCI signature', e
        mov     ax, 0xB102
        mov     cx, 0x1237
        mov     dx, 0x8086
        xor     si, si
        int     0x1A
        CHECK   'PCI host bridge', nc
        test    bx, bx
        CHECK   'PCI place of the host bridge', z
        mov     ax, 0xB103
        mov     ecx, 0x030000
        xor     si, si
        int     0x1A
        CHECK   'PCI display', nc
        mov     ax, 0xB109
        xor     di, di
        int     0x1A
        cmp     cx, 0x1234
        CHECK   'PCI configuration word', e
        mov     ax, 0xB10A
        mov     di, 2
        int     0x1A
        CHECK   'PCI dword that is not aligned', c
        mov     ax, 0xB103
        mov     ecx, 0x0C0300
        xor     si, si
        int     0x1A
        CHECK   'no USB', c
        cmp     ah, 0x86
        CHECK   'PCI not found', e
        call    check_graphics
        ; 120 ms are two or three ticks
        mov     ah, 0x00
        int     0x1A
        mov     [ticks], dx
        mov     ah, 0x86
        mov     cx, 1
        mov     dx, 0xD4C0
        int     0x15
        CHECK   'wait', nc
        mov     ah, 0x00
        int     0x1A
        sub     dx, [ticks]
        cmp     dx, 2
        CHECK   'wait is long enough', ae
        cmp     dx, 4
        CHECK   'wait is short enough', b
        ret

check_disk:
        mov     dl, [boot_drive]
        mov     ah, 0x00
        int     0x13
        CHECK   'disk reset', nc
        mov     ah, 0x15
        int     0x13
        CHECK   'disk type', nc
        mov     ax, 0x0201
        mov     cx, 0x0001
        mov     dh, 0
        mov     dl, [boot_drive]
        mov     bx, buffer
        int     0x13
        CHECK   'disk read', nc
        cmp     word [buffer+510], 0xAA55
        CHECK   'disk contents', e
        mov     ax, 0x0201
        mov     cx, 0x0000              ; there is no sector 0
        int     0x13
        CHECK   'disk refuses', c
        cmp     ah, 0x04
        CHECK   'disk says why', e
        mov     ah, 0x01
        int     0x13
        cmp     ah, 0x04
        CHECK   'disk status', e
        mov     ah, 0x02
        mov     dl, 0x81
        int     0x13
        CHECK   'no second disk', c
        ret

; INT 15h 87h: a sector's worth up to 2 MiB and back.
check_block_move:
        cmp     word [extended], 2048
        jb      .return
        mov     di, buffer
        mov     cx, 256
.fill:
        mov     [di], cx
        add     di, 2
        loop    .fill
        mov     dword [.table+0x12], buffer
        mov     byte [.table+0x15], 0x93
        mov     dword [.table+0x1A], 0x200000
        mov     byte [.table+0x1D], 0x93
        call    .move
        CHECK   'move up', nc
        mov     di, buffer
        xor     ax, ax
        mov     cx, 256
        rep     stosw
        mov     dword [.table+0x12], 0x200000
        mov     byte [.table+0x15], 0x93
        mov     dword [.table+0x1A], buffer
        mov     byte [.table+0x1D], 0x93
        call    .move
        CHECK   'move down', nc
        cmp     word [buffer], 256
        CHECK   'moved first', e
        cmp     word [buffer+510], 1
        CHECK   'moved last', e
.return:
        ret
.move:
        mov     ah, 0x87
        mov     cx, 256
        mov     si, .table
        int     0x15
        ret
        align   8, db 0
.table: times   0x10 db 0
        dw      0xFFFF, 0, 0x9300, 0
        dw      0xFFFF, 0, 0x9300, 0
        times   0x10 db 0

check_serial:
        mov     ah, 0x03
        mov     dx, 0
        int     0x14
        test    ah, 0x20
        CHECK   'serial status', nz
        mov     ax, 0x012B              ; '+'
        mov     dx, 0
        int     0x14
        test    ah, 0x80
        CHECK   'serial send', z
        call    put_line
        ret

extended:       dw 0
ticks:          dw 0

%include "lib/console.inc"
        align   16, db 0
buffer: times   512 db 0
%include "lib/end.inc"
