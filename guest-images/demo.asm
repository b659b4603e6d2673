; The demonstration: a guest that records itself. Serial line and screen show the same text.
; It starts the recording "demo" and runs three phases: "count" counts primes and timer interrupts, "sort" sorts an array seeded by
; when those interrupts came, "quiz" asks a question and waits for the answer on the keyboard. The answer is the verdict. After the stop
; it asks for a recording that the demonstration's policy forbids, says what came of it, and switches the machine off.
; Ends with: "demo: the test passed." or "demo: the test failed.", then "demo: power off."
%include "lib/boot.inc"
%include "lib/port.inc"

main:
        mov     ax, 0x0003
        int     0x10
        ENTER_FLAT32 flat

%include "lib/flat32.inc"
%include "lib/console.inc"

COLUMNS         equ 80
ROWS            equ 25
SCREEN          equ 0xB8000
NUMBERS         equ 0x100000            ; the array
NUMBER_COUNT    equ 3000
HIGHEST         equ 60000               ; primes below it

; SAY 'text', ...: to COM1 and to the screen. %1 may hold 13, 10.
%macro SAY 1+
        push    esi
        call    %%over
        db      %1, 0
%%over:
        pop     esi
        call    say_text
        pop     esi
%endmacro

flat:
        call    serial_init
        mov     al, IRQ_BASE+0
        mov     edx, on_timer
        call    set_gate
        mov     al, IRQ_BASE+1
        mov     edx, on_key
        call    set_gate
        mov     eax, 1193               ; 1000 Hz
        call    timer_init
        mov     al, 0xFC                ; timer and keyboard
        out     0x21, al
        sti
        SAY     'guestreel demo: a guest that holds the record button', 13, 10, 13, 10
        call    hello
        call    start
        call    phase_count
        call    phase_sort
        call    phase_quiz
        call    stop
        call    forbidden
        cmp     dword [verdict], 0
        jne     .failed
        SAY     'demo: the test passed.', 13, 10
        jmp     .off
.failed:
        SAY     'demo: the test failed.', 13, 10
.off:
        SAY     'demo: power off.', 13, 10
        call    power_off

; ---- the recording ----------------------------------------------------------------------------------------------

hello:
        mov     ebx, ~REEL_MAGIC
        mov     esi, 0x00010001
        xor     edi, edi
        REEL_CALL REEL_HELLO
        test    eax, eax
        jnz     .absent
        cmp     ebx, REEL_MAGIC
        jne     .absent
        mov     eax, ecx
        SAY     'HELLO: protocol version '
        call    say_number
        SAY     13, 10
        ret
.absent:
        SAY     'HELLO: nobody answers on port 5252h', 13, 10
        ret

start:
        REEL_TEXT REEL_START, 'demo'
        SAY     'START demo: '
        call    say_status
        ret

stop:
        mov     ebx, [verdict]
        REEL_TEXT REEL_VERDICT, 'quiz'
        SAY     'VERDICT quiz: '
        call    say_status
        xor     ebx, ebx
        REEL_CALL REEL_STOP
        SAY     'STOP: '
        call    say_status
        ret

forbidden:
        REEL_TEXT REEL_START, 'Top Secret'
        SAY     'START Top Secret: '
        call    say_status
        ret

; ---- phase "count" ----------------------------------------------------------------------------------------------

phase_count:
        REEL_TEXT REEL_BEGIN, 'count'
        SAY     13, 10, 'count: '
        mov     eax, [ticks]
        mov     [ticks_before], eax
        xor     ebp, ebp                ; primes
        mov     ebx, 2
.candidate:
        mov     ecx, 2
.divide:
        mov     eax, ecx
        mul     ecx
        cmp     eax, ebx
        ja      .prime
        mov     eax, ebx
        xor     edx, edx
        div     ecx
        test    edx, edx
        jz      .composite
        inc     ecx
        jmp     .divide
.prime:
        inc     ebp
.composite:
        inc     ebx
        cmp     ebx, HIGHEST
        jb      .candidate
        mov     eax, ebp
        call    say_number
        SAY     ' primes below '
        mov     eax, HIGHEST
        call    say_number
        SAY     ', '
        mov     eax, [ticks]
        sub     eax, [ticks_before]
        call    say_number
        SAY     ' timer interrupts meanwhile, phase '
        mov     eax, [phase]
        call    say_hex
        SAY     13, 10
        REEL_TEXT REEL_END, 'count'
        ret

; ---- phase "sort" -----------------------------------------------------------------------------------------------

phase_sort:
        REEL_TEXT REEL_BEGIN, 'sort'
        rdtsc
        xor     eax, [phase]
        or      eax, 1
        mov     edi, NUMBERS
        mov     ecx, NUMBER_COUNT
.fill:                                  ; xorshift32
        mov     edx, eax
        shl     edx, 13
        xor     eax, edx
        mov     edx, eax
        shr     edx, 17
        xor     eax, edx
        mov     edx, eax
        shl     edx, 5
        xor     eax, edx
        stosd
        loop    .fill
        ; Shell's sort with gaps that halve
        mov     ebp, NUMBER_COUNT/2
.gap:
        mov     ecx, ebp
.insert:
        mov     eax, [NUMBERS+ecx*4]
        mov     ebx, ecx
.shift:
        cmp     ebx, ebp
        jb      .place
        mov     edx, ebx
        sub     edx, ebp
        mov     esi, [NUMBERS+edx*4]
        cmp     esi, eax
        jbe     .place
        mov     [NUMBERS+ebx*4], esi
        mov     ebx, edx
        jmp     .shift
.place:
        mov     [NUMBERS+ebx*4], eax
        inc     ecx
        cmp     ecx, NUMBER_COUNT
        jb      .insert
        shr     ebp, 1
        jnz     .gap
        ; checksum over the order, and is it one?
        mov     esi, NUMBERS
        mov     ecx, NUMBER_COUNT
        mov     ebx, 0x811C9DC5
        xor     ebp, ebp                ; the number before
        xor     edi, edi                ; out of order
.check:
        lodsd
        cmp     eax, ebp
        adc     edi, 0
        mov     ebp, eax
        xor     ebx, eax
        imul    ebx, ebx, 0x01000193
        loop    .check
        SAY     'sort: '
        mov     eax, NUMBER_COUNT
        call    say_number
        SAY     ' numbers, '
        mov     eax, edi
        call    say_number
        SAY     ' out of order, checksum '
        mov     eax, ebx
        call    say_hex
        SAY     13, 10
        REEL_TEXT REEL_MARK, 'sorted'
        REEL_TEXT REEL_END, 'sort'
        ret

; ---- phase "quiz" -----------------------------------------------------------------------------------------------

phase_quiz:
        REEL_TEXT REEL_BEGIN, 'quiz'
        SAY     13, 10, 'quiz: what is six times seven? '
        mov     edi, answer
.key:
        call    read_key
        cmp     al, 13
        je      .entered
        cmp     al, 8
        je      .erase
        cmp     edi, answer_end
        jae     .key
        stosb
        call    say_char
        jmp     .key
.erase:
        cmp     edi, answer
        je      .key
        dec     edi
        SAY     8, ' ', 8
        jmp     .key
.entered:
        mov     byte [edi], 0
        SAY     13, 10
        mov     dword [verdict], 1
        sub     edi, answer
        cmp     edi, 2
        jne     .wrong
        cmp     word [answer], '42'
        jne     .wrong
        mov     dword [verdict], 0
        SAY     'quiz: right.', 13, 10, 13, 10
        jmp     .end
.wrong:
        SAY     'quiz: wrong, it is 42.', 13, 10, 13, 10
.end:
        REEL_TEXT REEL_END, 'quiz'
        ret

; Waits for a key -> AL character.
read_key:
        cli
        mov     ebx, [keys_taken]
        cmp     ebx, [keys_received]
        jne     .take
        sti
        hlt
        jmp     read_key
.take:
        inc     dword [keys_taken]
        and     ebx, 0x3F
        mov     al, [key_queue+ebx]
        sti
        ret

; ---- interrupts -------------------------------------------------------------------------------------------------

; Counts, and mixes the low bits of the time stamp of every interrupt.
on_timer:
        push    eax
        push    edx
        inc     dword [ticks]
        rdtsc
        xor     eax, [phase]
        imul    eax, eax, 0x01000193
        mov     [phase], eax
        mov     al, 0x20
        out     0x20, al
        pop     edx
        pop     eax
        iretd

on_key:
        pushad
        in      al, 0x60
        movzx   ebx, al
        cmp     bl, 0x3A                ; breaks and other keys
        jae     .none
        mov     al, [characters+ebx]
        test    al, al
        jz      .none
        mov     ebx, [keys_received]
        and     ebx, 0x3F
        mov     [key_queue+ebx], al
        inc     dword [keys_received]
.none:
        mov     al, 0x20
        out     0x20, al
        popad
        iretd

; ---- text -------------------------------------------------------------------------------------------------------

; AL -> COM1 and screen.
say_char:
        call    put_char
        pushad
        mov     edi, [cursor]
        cmp     al, 13
        je      .return
        cmp     al, 10
        je      .feed
        cmp     al, 8
        je      .back
        mov     ah, 0x07
        mov     [SCREEN+edi*2], ax
        inc     edi
        jmp     .place
.return:
        mov     eax, edi
        xor     edx, edx
        mov     ecx, COLUMNS
        div     ecx
        sub     edi, edx
        jmp     .place
.feed:
        add     edi, COLUMNS
        jmp     .place
.back:
        test    edi, edi
        jz      .place
        dec     edi
.place:
        cmp     edi, COLUMNS*ROWS
        jb      .store
        sub     edi, COLUMNS
        push    edi
        mov     esi, SCREEN+COLUMNS*2
        mov     edi, SCREEN
        mov     ecx, COLUMNS*(ROWS-1)/2
        rep     movsd
        mov     eax, 0x07200720
        mov     ecx, COLUMNS/2
        rep     stosd
        pop     edi
.store:
        mov     [cursor], edi
        mov     dx, 0x3D4
        mov     eax, edi
        mov     ah, al
        mov     al, 0x0F
        out     dx, ax
        mov     eax, edi
        mov     al, 0x0E
        out     dx, ax
        popad
        ret

say_text:
        push    eax
.next:
        lodsb
        test    al, al
        jz      .done
        call    say_char
        jmp     .next
.done:
        pop     eax
        ret

say_number:
        pushad
        xor     ecx, ecx
        mov     ebx, 10
.divide:
        xor     edx, edx
        div     ebx
        push    edx
        inc     ecx
        test    eax, eax
        jnz     .divide
.print:
        pop     eax
        add     al, '0'
        call    say_char
        loop    .print
        popad
        ret

say_hex:
        pushad
        mov     ecx, 8
.next:
        rol     eax, 4
        push    eax
        and     al, 0x0F
        cmp     al, 10
        jb      .digit
        add     al, 'a'-'0'-10
.digit:
        add     al, '0'
        call    say_char
        pop     eax
        loop    .next
        popad
        ret

; EAX = status of a call, as a word.
say_status:
        pushad
        mov     esi, status_names
        cmp     eax, 12
        ja      .unknown
        mov     ecx, eax
        jecxz   .found
.skip:
        lodsb
        test    al, al
        jnz     .skip
        loop    .skip
.found:
        call    say_text
        jmp     .end
.unknown:
        call    say_hex
.end:
        SAY     13, 10
        popad
        ret

status_names:
        db      'OK', 0, 'NOSYS', 0, 'DENIED', 0, 'RATE', 0, 'QUOTA', 0, 'BUSY', 0, 'NOT_RECORDING', 0, 'FAULT', 0
        db      'TOO_LONG', 0, 'INVALID', 0, 'RESERVED', 0, 'HOST_IO', 0, 'NOT_OWNER', 0

; Scan codes 00h-39h without modifiers.
characters:
        db      0, 0, '1234567890-=', 8, 0
        db      'qwertyuiop[]', 13, 0
        db      "asdfghjkl;'`", 0, 92
        db      'zxcvbnm,./', 0, '*', 0, ' '

        align   4, db 0
ticks:          dd 0
ticks_before:   dd 0
phase:          dd 0x811C9DC5
verdict:        dd 1
cursor:         dd 0
keys_received:  dd 0
keys_taken:     dd 0
key_queue:      times 64 db 0
answer:         times 20 db 0
answer_end:     db 0

%include "lib/end.inc"
