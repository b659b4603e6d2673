; A picture of 320x200 in 256 colours, drawn anew for each frame as games do: it waits for the vertical retrace by polling input
; status register 1, paints all 64000 pixels and turns the palette. Offset 8 of the image: frames, then "mode13: ok" on COM1.
%define PARAMETER_1 70
%define PARAMETER_2 0
%include "lib/boot.inc"

INPUT_STATUS    equ 0x3DA
RETRACE         equ 0x08
DAC_INDEX       equ 0x3C8

main:
        call    serial_init
        mov     ax, 0x0013
        int     0x10
        mov     ax, 0xA000
        mov     es, ax
        PRINT   'mode13: start', 13, 10
.frame:
        mov     dx, INPUT_STATUS
.shown:                                 ; a retrace that has begun is not that of this frame
        in      al, dx
        test    al, RETRACE
        jnz     .shown
.retrace:
        in      al, dx
        test    al, RETRACE
        jz      .retrace
        call    turn_palette
        call    paint
        inc     dword [frame]
        mov     eax, [frame]
        cmp     eax, [parameter_1]
        jb      .frame
        PRINT   'mode13: ok', 13, 10
        jmp     power_off

; 64 greens and blues that wander.
turn_palette:
        mov     dx, DAC_INDEX
        xor     al, al
        out     dx, al
        inc     dx
        xor     cx, cx
.colour:
        mov     al, cl
        add     al, [frame]
        and     al, 0x3F
        out     dx, al
        mov     al, cl
        shr     al, 1
        out     dx, al
        mov     al, 0x3F
        sub     al, cl
        out     dx, al
        inc     cx
        cmp     cx, 64
        jb      .colour
        ret

; Pixel (x, y) = ((x + frame) xor (y + frame)) mod 64, eight at a time.
paint:
        xor     di, di
        xor     cx, cx                  ; y
.line:
        mov     bl, cl
        add     bl, [frame]
        mov     bh, [frame]
        mov     si, 320 / 8
.pixels:
%rep 8
        mov     al, bh
        xor     al, bl
        and     al, 0x3F
        stosb
        inc     bh
%endrep
        dec     si
        jnz     .pixels
        inc     cx
        cmp     cx, 200
        jb      .line
        ret

frame:          dd 0

%include "lib/console.inc"
%include "lib/end.inc"
