/* The agent as the build lays it down (host/tool/replay.mjs), in flash behind the firmware's slot A. */
    .section .agent, "a"
    .balign 8
    .global replay_image
replay_image:
    .incbin REPLAY_IMAGE
    .balign 4
