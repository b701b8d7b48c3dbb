// delegate: park this side as the delegator of another coroutine and jump to wherever that one was parked.
// Like switch, with two differences: the link handed on is not our own frame record but our consumer's, so that the
// other side's yields go straight there; and our frame record is left in *slot, where the other side's end finds it.
//
//   in   x0 kind   x1 x4 x5 x6 words   x2 link (our consumer's frame record)   x3 target   x7 slot
//   out  x0 kind   x1 x4 x5 x6 words   x2 from (the frame record of whoever is our consumer by then)

    adr x16, 2f
    stp x29, x16, [sp, #-32]!
    str x19, [sp, #16]
    mov x16, sp
    str x16, [x7]
    ldr x16, [x3, #8]
    br x16

2:  hint #36                    // bti j
    ldr x29, [x3]
    ldr x19, [x3, #16]
    add sp, x3, #32
