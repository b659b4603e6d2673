; As much of DOS as REEL.COM needs: it runs the agent once for each line of a script, prints what the agent writes to its two outputs
; on COM1, and its exit code. There is one file, DATA.TXT, and one program, C:\BIN\TOOL.COM: it prints its command tail and exits
; with the code that its first digit is. Needs built/REEL.COM, which is built before.
; Ends with: "dos: done"
%include "lib/boot.inc"

PROGRAM         equ 0x2000              ; segment of the PSP
ENVIRONMENT     equ 0x1800
PSP_TAIL        equ 0x80
FILE            equ 5
CR              equ 13

main:
        call    serial_init
        mov     word [0x21*4], int21
        mov     word [0x21*4+2], 0
        mov     si, script
next_line:
        xor     ax, ax
        mov     ds, ax
        mov     ss, ax
        mov     sp, 0x7C00
        cmp     byte [si], 0
        je      .finished
        PRINT   '> reel'
        call    put_text                ; stops behind the 0
        call    put_line
        mov     [line], si
        dec     si
.back:  dec     si
        cmp     byte [si-1], 0
        jne     .back
        ; SI = the command tail; DOS clears nothing of the memory that a program gets.
        mov     ax, PROGRAM
        mov     es, ax
        xor     di, di
        mov     cx, 0x8000
        mov     ax, 0xC3C3
        rep     stosw
        mov     word [es:0x2C], ENVIRONMENT
        mov     di, PSP_TAIL+1
.tail:  lodsb
        stosb
        test    al, al
        jnz     .tail
        mov     byte [es:di-1], CR
        mov     ax, di
        sub     ax, PSP_TAIL+2
        mov     [es:PSP_TAIL], al
        mov     si, program
        mov     di, 0x100
        mov     cx, program_end-program
        rep     movsb
        mov     ax, ENVIRONMENT
        mov     es, ax
        mov     si, environment
        xor     di, di
        mov     cx, environment_end-environment
        rep     movsb
        mov     ax, PROGRAM
        mov     ds, ax
        mov     es, ax
        mov     ss, ax
        mov     sp, 0xFFFE
        push    word 0
        mov     eax, 0xDEADBEEF         ; a program may count on nothing
        mov     ebx, eax
        mov     ecx, eax
        mov     edx, eax
        mov     esi, eax
        mov     edi, eax
        mov     ebp, eax
        jmp     PROGRAM:0x100
.finished:
        PRINT   'dos: done', 13, 10
        jmp     power_off

; ---- INT 21h
int21:  sti
        cmp     ah, 0x3D
        je      .open
        cmp     ah, 0x3F
        je      .read
        cmp     ah, 0x40
        je      .write
        cmp     ah, 0x4A
        je      .done
        cmp     ah, 0x4B
        je      execute
        cmp     ah, 0x4C
        je      .exit
        cmp     ah, 0x4D
        je      .code
        mov     ax, 1                   ; no such function
.error: push    bp
        mov     bp, sp
        or      byte [bp+6], 1          ; CF of the caller
        pop     bp
        iret
.done:  push    bp
        mov     bp, sp
        and     byte [bp+6], 0xFE
        pop     bp
        iret

.open:  mov     di, data_name
        call    same_name
        mov     ax, 2
        jne     .error
        mov     word [cs:position], 0
        mov     ax, FILE
        jmp     .done

; Never more than 1000 bytes at a time.
.read:  xor     ax, ax
        cmp     bx, FILE
        jne     .done                   ; nothing comes from the keyboard
        push    cx
        push    si
        push    di
        push    es
        push    ds
        pop     es
        push    ds
        mov     ax, cs
        mov     ds, ax
        cmp     cx, 1000
        jbe     .some
        mov     cx, 1000
.some:  mov     ax, data_end-data
        sub     ax, [position]
        cmp     cx, ax
        jbe     .left
        mov     cx, ax
.left:  mov     si, data
        add     si, [position]
        add     [position], cx
        mov     ax, cx
        mov     di, dx
        rep     movsb
        pop     ds
        pop     es
        pop     di
        pop     si
        pop     cx
        jmp     .done

.write: push    cx
        push    si
        mov     si, dx
        jcxz    .written
.byte:  lodsb
        call    put_char
        loop    .byte
.written:
        pop     si
        pop     cx
        mov     ax, cx
        jmp     .done

.code:  mov     ax, [cs:child_code]
        jmp     .done

.exit:  xor     cx, cx
        mov     ds, cx
        mov     ss, cx
        mov     sp, 0x7C00
        PRINT   '= '
        movzx   eax, al
        call    put_number
        call    put_line
        mov     si, [line]
        jmp     next_line

; Leaves as little in the registers as DOS does: nothing but CS:IP, and SS:SP to get back.
execute:
        mov     di, tool_name
        call    same_name
        jne     .no_such
        les     si, [es:bx+2]           ; the tail
        push    cs
        pop     ds
        PRINT   'tool'
        movzx   cx, byte [es:si]
        inc     si
        jcxz    .printed
.char:  es lodsb
        call    put_char
        sub     al, '0'
        cmp     al, 9
        ja      .no_digit
        mov     [child_code], al
.no_digit:
        loop    .char
.printed:
        cmp     byte [es:si], CR
        jne     .printed
        call    put_line
        mov     eax, 0xDEADBEEF
        mov     ebx, eax
        mov     ecx, eax
        mov     edx, eax
        mov     esi, eax
        mov     edi, eax
        mov     ebp, eax
        xor     ax, ax
        mov     ds, ax
        mov     es, ax
        mov     fs, ax
        jmp     int21.done
.no_such:
        mov     ax, 2
        jmp     int21.error

; ZF: the name at DS:DX is the one at CS:DI, which has capital letters.
same_name:
        push    si
        push    es
        push    cs
        pop     es
        mov     si, dx
.next:  lodsb
        cmp     al, 'a'
        jb      .compare
        cmp     al, 'z'
        ja      .compare
        sub     al, 0x20
.compare:
        scasb
        jne     .done
        test    al, al
        jnz     .next
.done:  pop     es
        pop     si
        ret

%include "lib/console.inc"

line:           dw 0
position:       dw 0
child_code:     dw 0
data_name:      db 'DATA.TXT', 0
tool_name:      db 'C:\BIN\TOOL.COM', 0
environment:    db 'PATHS=C:\WRONG', 0, 'PATH=C:\NONE\;;C:\BIN', 0, 0
environment_end:

                db 0
script: db      ' hello', 0
        db      ' status', 0
        db      ' mark early', 0
        db      ' START dos-test', 0
        db      ' start again', 0
        db      ' start --nest', 0
        db      ' start --nest inner', 0
        db      ' stop', 0
        db      ' status', 0
        db      ' mark one 7', 0
        db      '  mark  "two words"  0x1F ', 0
        db      ' mark', 0
        db      ' begin phase-a', 0
        db      ' status', 0
        db      ' end phase-a', 0
        db      ' end phase-a', 0
        db      ' run good -- tool "a  b" 0', 0
        db      ' run bad -- C:\BIN\TOOL.COM 3', 0
        db      ' run absent -- nothing', 0
        db      ' verdict skip unit-3', 0
        db      ' log several  words "kept  apart"', 0
        db      ' check DATA.TXT', 0
        db      ' check -', 0
        db      ' check MISSING.TXT', 0
        db      ' put DATA.TXT 4', 0
        db      ' get', 0
        db      ' auth sesame', 0
        db      ' checkpoint', 0
        db      ' stop 99', 0
        db      ' stop', 0
        db      ' stop', 0
        db      ' frob', 0
        db      0

program:        incbin "built/REEL.COM"
program_end:
data:           times 400 db 'forty bytes that are written many times', 10
data_end:
%include "lib/end.inc"
