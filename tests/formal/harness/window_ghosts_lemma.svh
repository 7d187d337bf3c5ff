// What window_lemma.svh has of the harness, and hands on: the next word that leaves, the item, the next one, the one behind it;
// words in the memory, places of it that have been written; the address of the item with its level.
logic [`BITS+27:0] leaves, item, later, latest;
logic [`BITS-1:0] there_q;
logic [AddrBits:0] filled_q;
logic [31:0] address;
