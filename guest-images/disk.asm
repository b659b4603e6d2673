; INT 13h reads and writes on the drive it was booted from, then INT 19h boots it again: what was written is still there.
; Ends with: "disk: ok" or "disk: N failed", after "disk: boot 1" and "disk: boot 2"
%include "lib/boot.inc"

COUNTER_TRACK   equ 2                   ; cylinder of the sector that counts boots
BUFFER          equ 0x9000

main:
        call    serial_init
        ; boots so far
        mov     ax, 0x0201
        mov     cx, (COUNTER_TRACK << 8) | 3
        mov     dh, 1
        call    transfer
        CHECK   'read counter', nc
        inc     dword [BUFFER]
        PRINT   'disk: boot '
        mov     eax, [BUFFER]
        call    put_number
        call    put_line
        push    eax
        mov     ax, 0x0301
        mov     cx, (COUNTER_TRACK << 8) | 3
        mov     dh, 1
        call    transfer
        CHECK   'write counter', nc
        pop     eax
        cmp     eax, 2
        jae     .second
        int     0x19
.second:
        call    check_tracks
        call    check_limits
        cmp     byte [boot_drive], 0x80
        jb      .floppy
        call    check_lba
.floppy:
        xor     eax, eax
        mov     ax, [failures]
        test    ax, ax
        jnz     .failed
        PRINT   'disk: ok', 13, 10
        jmp     power_off
.failed:
        PRINT   'disk: '
        call    put_number
        PRINT   ' failed', 13, 10
        jmp     power_off

; AX, CX, DH as for INT 13h 02h/03h, into BUFFER.
transfer:
        mov     bx, BUFFER
        mov     dl, [boot_drive]
        int     0x13
        ret

; Five sectors from sector 6 of cylinder 3: patterns by word number.
check_tracks:
        mov     di, BUFFER
        mov     cx, 5*256
        mov     ax, 0xA55A
.fill:
        stosw
        add     ax, 0x1357
        loop    .fill
        mov     ax, 0x0305
        mov     cx, 0x0306
        mov     dh, 1
        call    transfer
        CHECK   'write track', nc
        cmp     al, 5
        CHECK   'sectors written', e
        mov     di, BUFFER
        xor     ax, ax
        mov     cx, 5*256
        rep     stosw
        mov     ax, 0x0405              ; verify
        mov     cx, 0x0306
        mov     dh, 1
        call    transfer
        CHECK   'verify', nc
        ; read the middle three
        mov     ax, 0x0203
        mov     cx, 0x0307
        mov     dh, 1
        call    transfer
        CHECK   'read track', nc
        mov     si, BUFFER
        mov     cx, 3*256
        mov     dx, (0xA55A + 256*0x1357) & 0xFFFF
.compare:
        lodsw
        cmp     ax, dx
        jne     .different
        add     dx, 0x1357
        loop    .compare
        xor     ax, ax                  ; all equal: ZF
.different:
        CHECK   'contents', e
        cmp     word [si], 0
        CHECK   'no more than asked for', e
        ret

check_limits:
        mov     ah, 0x08
        mov     dl, [boot_drive]
        push    es
        int     0x13
        pop     es
        CHECK   'parameters', nc
        mov     [last_cx], cx
        mov     [last_dh], dh
        mov     ax, 0x0201              ; the last sector exists,
        call    transfer
        CHECK   'last sector', nc
        mov     ax, 0x0202              ; and nothing behind it
        mov     cx, [last_cx]
        mov     dh, [last_dh]
        call    transfer
        CHECK   'end of disk', c
        cmp     ah, 0x04
        CHECK   'sector not found', e
        mov     ax, 0x0201
        mov     cx, 0x0001
        mov     dh, 0xFF
        call    transfer
        CHECK   'no such head', c
        ret

check_lba:
        mov     ah, 0x41
        mov     bx, 0x55AA
        mov     dl, [boot_drive]
        int     0x13
        CHECK   'extensions', nc
        cmp     bx, 0xAA55
        CHECK   'extensions answer', e
        mov     ah, 0x48
        mov     si, parameters
        mov     dl, [boot_drive]
        int     0x13
        CHECK   'extended parameters', nc
        mov     eax, [parameters+16]
        dec     eax
        mov     [packet+8], eax
        mov     dword [BUFFER], 'last'
        mov     ah, 0x43
        call    .packet
        CHECK   'LBA write', nc
        mov     dword [BUFFER], 0
        mov     ah, 0x42
        call    .packet
        CHECK   'LBA read', nc
        cmp     dword [BUFFER], 'last'
        CHECK   'LBA contents', e
        inc     dword [packet+8]
        mov     ah, 0x42
        call    .packet
        CHECK   'LBA end of disk', c
        ret
.packet:
        mov     al, 0
        mov     si, packet
        mov     dl, [boot_drive]
        int     0x13
        ret

        align   4, db 0
packet:         db 16, 0
                dw 1
                dw BUFFER, 0
                dq 0
parameters:     dw 26
                times 24 db 0
failures:       dw 0
last_cx:        dw 0
last_dh:        db 0

%include "lib/console.inc"
%include "lib/end.inc"
