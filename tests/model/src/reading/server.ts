/**
 * A model of those properties of a database server on which a reader of its log depends. The server
 * gives out numbers in memory, and a rollback uses them up. After a crash it remembers only the
 * numbers in the WAL that was flushed.
 */
export interface Server extends Durable {
  /** Changes after a crash, a promotion or a restore. */
  readonly life: number
  /** Identifies the server that gives out the numbers. It changes only when a dump is restored. */
  readonly numbering: number
  /** The highest number in a record of the WAL, flushed or not. */
  readonly mentioned: number
  readonly open: readonly Open[]
  /** The data that a crash leaves. */
  readonly flushed: Durable
}

/** A transaction that has its number and has not ended. */
export interface Open {
  readonly xid: number
  readonly event: number
  /** `undefined` if the transaction has written nothing yet. */
  readonly seq?: number
}

export interface Row {
  readonly xid: number
  readonly seq: number
  readonly event: number
}

/** The data that the WAL holds. */
export interface Durable {
  readonly nextXid: number
  readonly nextSeq: number
  readonly rows: readonly Row[]
  readonly cursor: Cursor
}

/** The snapshot in which a reader last read, and the highest number that was visible in it. */
export interface Cursor {
  readonly numbering: number
  readonly xmax: number
  readonly inProgress: readonly number[]
  readonly floor: number
}

export function newServer(): Server {
  const cursor = { numbering: 0, xmax: 1, inProgress: [], floor: 0 }
  const durable = { nextXid: 1, nextSeq: 1, rows: [], cursor }
  return { ...durable, life: 0, numbering: 0, mentioned: 0, open: [], flushed: durable }
}

export function begin(server: Server, event: number): Server {
  const { nextXid, open } = server
  return { ...server, nextXid: nextXid + 1, open: [...open, { xid: nextXid, event }] }
}

export function append(server: Server, xid: number): Server {
  const seq = server.nextSeq
  const open = server.open.map((each) => (each.xid === xid ? { ...each, seq } : each))
  return { ...server, open, nextSeq: seq + 1, mentioned: Math.max(server.mentioned, xid) }
}

/**
 * Commits a transaction. Its rows are visible at once, and durable at once only if COMMIT waits for
 * the flush.
 */
export function commit(server: Server, xid: number, synchronous: boolean): Server {
  const { open, rows } = server
  const written = open.filter((each) => each.xid === xid && each.seq !== undefined) as Row[]
  const committed = {
    ...server,
    open: open.filter((each) => each.xid !== xid),
    rows: [...rows, ...written],
  }
  return synchronous ? flush(committed) : committed
}

export function rollback(server: Server, xid: number): Server {
  return { ...server, open: server.open.filter((each) => each.xid !== xid) }
}

/** An UPDATE of the cursor, in a transaction that takes a number of its own. */
export function writeCursor(server: Server, cursor: Cursor, synchronous: boolean): Server {
  const { nextXid } = server
  const written = { ...server, cursor, nextXid: nextXid + 1, mentioned: nextXid }
  return synchronous ? flush(written) : written
}

export function flush(server: Server): Server {
  const { mentioned, nextSeq, rows, cursor } = server
  return { ...server, flushed: { nextXid: mentioned + 1, nextSeq, rows, cursor } }
}

/** Continues from what was flushed, on this server or on a standby. */
export function recover(server: Server, from: Durable): Server {
  const { life, numbering } = server
  return {
    ...from,
    life: life + 1,
    numbering,
    mentioned: from.nextXid - 1,
    open: [],
    flushed: from,
  }
}

/** Restores a dump into another server, which has given out the numbers below `nextXid`. */
export function restore(server: Server, dump: Durable, nextXid: number): Server {
  const { life, numbering } = server
  const restored = { ...dump, nextXid }
  return { ...recover({ ...server, life }, restored), numbering: numbering + 1 }
}
