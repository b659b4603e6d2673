; An expansion ROM for a PCI network card (8086:100E): an image for other machines, then one for PCs with Plug and Play headers of a
; network to boot from and of a disk. What it does it tells on port E9h. Who uses it gives it its checksums: see `sums`.
        bits    16
        cpu     686
        org     0

%define VENDOR  0x8086
%define DEVICE  0x100E

; PCI data structure: code type, last, units of 512 bytes.
%macro DATA_STRUCTURE 3
        db      'PCIR'
        dw      VENDOR, DEVICE, 0, 0x18
        db      0, 0x00, 0x00, 0x02     ; revision, a network card
        dw      %3, 1
        db      %1, %2
        dw      0
%endmacro

other:                                  ; for EFI
        db      0x55, 0xAA, 4
        times   0x18-($-other) db 0
        dw      0x1C, 0
        DATA_STRUCTURE 3, 0, 4
        times   0x800-($-$$) db 0xCC

UNITS           equ 8
rom:
        db      0x55, 0xAA, UNITS
        jmp     near init
        times   0x18-($-rom) db 0
        dw      structure-rom, headers-rom
sums:                                   ; makes the sum 0; of what the image leaves behind it does so itself
        db      0
structure:
        DATA_STRUCTURE 0, 0x80, UNITS
        align   16, db 0
headers:
        db      '$PnP', 1, 2
        dw      second-rom
        db      0, 0                    ; reserved, checksum
        dd      1
        dw      0, name-rom
        db      2, 0, 0, 0x14
        dw      0, 0, boot-rom, 0, 0
second:
        db      '$PnP', 1, 2
        dw      0
        db      0, 0
        dd      2
        dw      0, name-rom
        db      1, 0, 0, 0x14
        dw      connect-rom, 0, 0, 0, 0
name:   db      'guestreel test ROM', 0

; AX function.
init:
        mov     si, .text-rom
        call    say
        call    say_word
        mov     ax, cs
        call    say_word
        ; does the Plug and Play structure hold?
        mov     cx, 0x21
        xor     al, al
        push    di
.sum:
        add     al, [es:di]
        inc     di
        loop    .sum
        pop     di
        mov     si, .plain-rom
        test    al, al
        jnz     .say
        cmp     dword [es:di], '$PnP'
        jne     .say
        push    word 0
        call    far [es:di+0x0D]
        add     sp, 2
        cmp     ax, 0x82
        jne     .say
        mov     si, .pnp-rom
.say:
        call    say
        ; the second half was for now
        mov     byte [cs:2], UNITS/2
        xor     si, si
        xor     al, al
        mov     cx, UNITS/2*512
.part:
        sub     al, [cs:si]
        inc     si
        loop    .part
        add     [cs:sums-rom], al
        mov     ax, 0x0020
        retf
.text:  db      'init ', 0
.plain: db      'plain', 10, 0
.pnp:   db      'pnp', 10, 0

connect:
        mov     si, .text-rom
        call    say
        call    say_word
        mov     si, line-rom
        call    say
        retf
.text:  db      'connect ', 0

; Tries to change itself, then gives up in the way that the byte at `way` says.
boot:
        mov     si, .text-rom
        call    say
        call    say_word
        mov     byte [cs:way-rom+1], 0x5A
        mov     al, [cs:way-rom+1]
        call    say_byte
        mov     si, line-rom
        call    say
        test    byte [cs:way-rom], 1
        jz      .return
        int     0x18
.return:
        retf
.text:  db      'boot ', 0
line:   db      10, 0
way:    db      0, 0xA5

; CS:SI -> port E9h; AX is kept.
say:
        push    ax
.next:
        cs lodsb
        test    al, al
        jz      .done
        out     0xE9, al
        jmp     .next
.done:
        pop     ax
        ret

say_word:
        push    ax
        mov     al, ah
        call    say_digits
        pop     ax
say_byte:
        call    say_digits
        push    ax
        mov     al, ' '
        out     0xE9, al
        pop     ax
        ret
say_digits:
        push    ax
        push    ax
        shr     al, 4
        call    .digit
        pop     ax
        and     al, 0x0F
        call    .digit
        pop     ax
        ret
.digit:
        cmp     al, 10
        sbb     al, 0x69
        das
        out     0xE9, al
        ret
        times   0x800+UNITS*512-($-$$) db 0xEE
