import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { freePort } from './free-port.ts'
import { createLane, type Lane } from './proxy-lane.ts'
import { proxyTraps, type Sent, type Trap } from './proxy-traps.ts'

export type ProxyTarget = number | { host: string; port: number }

export interface ProxyCounts {
  /** Accepted connections. */
  connections: number
  /**
   * How often a client sent something and the server answered. Everything that a client sends
   * before it has the first byte of the answer belongs to the same round trip. For clients that
   * pipeline, set a `latency` of some milliseconds to make sure of that. Opening a connection
   * counts too, so connect first.
   */
  roundTrips: number
  bytesUp: number
  bytesDown: number
}

/** A proxy in front of a TCP server. In names, `up` means from client to server. */
export interface TcpProxy {
  port: number
  /** `url` with the proxy's host and port. */
  through(url: string): string
  /** Connections that are open now. */
  open(): number
  /** Counts since the start or the last `resetCounts`. */
  counts(): ProxyCounts
  resetCounts(): void
  /** Resets (RST) all connections at both ends. New ones are accepted. */
  cut(): void
  /** Keeps connections open and accepts new ones, but passes on nothing, not even a close. */
  stall(): void
  /** Like `stall`, but only for bytes from client to server. */
  stallUpstream(): void
  stallDownstream(): void
  /** Ends a stall: passes on what has been waiting, and everything after it. */
  resume(): void
  /**
   * Loses an answer, once: passes on the first chunk that completes `sent`, and nothing after it in
   * either direction. The server has time to act on it. When the server has closed its side, the
   * client is reset and the promise resolves, so at the reset the server is done.
   */
  dropAfter(sent: Sent): Promise<void>
  /**
   * Loses a request, once: the chunk that completes `sent` is not passed on, and both ends are
   * reset.
   */
  dropBefore(sent: Sent): Promise<void>
  /**
   * Stops one connection, once: the chunk that completes `sent` is not passed on, and neither is
   * anything after it in either direction. Resolves when the chunk has arrived. If the client
   * closes, the server's side closes too, and never gets what was held.
   */
  holdBefore(sent: Sent): Promise<void>
  /**
   * Like `holdBefore`, but passes the chunk on and holds the answer to it. Resolves when the answer
   * has arrived.
   */
  holdAfter(sent: Sent): Promise<void>
  /**
   * Slows one connection down, once: passes the chunk that completes `sent` on, and from then on
   * each answer only so many milliseconds after it came. Resolves when the chunk has arrived.
   */
  delayAfter(sent: Sent, ms: number): Promise<void>
  /**
   * Passes the chunk that completes `sent` on only after so many milliseconds, once. Resolves when
   * it has arrived. For clients that wait for an answer before they send more.
   */
  delayBefore(sent: Sent, ms: number): Promise<void>
  /**
   * Loses a reply whose request is still on its way, once: the client is reset when the chunk that
   * completes `sent` has arrived, and the server does not have that chunk yet. Resolves to a
   * function that delivers it, and resolves itself when the server has answered it.
   */
  strandBefore(sent: Sent): Promise<() => Promise<void>>
  /** Refuses new connections; open ones stay. */
  refuse(): void
  accept(): Promise<void>
  /**
   * Leads new connections to another server, like an address that moves in a failover; open ones
   * stay.
   */
  retarget(target: ProxyTarget): void
  /** Delays every byte by this much in each direction: a round trip takes twice as long. */
  latency(ms: number): void
  stop(): Promise<void>
}

interface Connection {
  client: Socket
  server: Socket
  up: Lane
  down: Lane
  /** Whether the client has sent something that was not answered yet. */
  asked: boolean
  /** How much longer its answers take than those of the others. Milliseconds. */
  lateMs: number
}

/** Starts a proxy on a port of 127.0.0.1, in this process, to a server that speaks TCP. */
export async function startProxy(target: ProxyTarget): Promise<TcpProxy> {
  let address = addressOf(target)
  const port = await freePort()
  const connections = new Set<Connection>()
  const traps = proxyTraps<Connection>()
  const stalled = { up: false, down: false }
  let delayMs = 0
  let counts = noCounts()
  let listener: Server | undefined

  function open(client: Socket): void {
    const server = connect({ ...address, allowHalfOpen: true, noDelay: true })
    const connection: Connection = {
      client,
      server,
      asked: false,
      lateMs: 0,
      up: createLane(client, server, {
        delayMs: () => delayMs,
        stalled: () => stalled.up,
        arrived: () => {
          connection.asked = true
        },
        pass: (chunk) => passUp(connection, chunk),
      }),
      down: createLane(server, client, {
        delayMs: () => delayMs + connection.lateMs,
        stalled: () => stalled.down,
        pass: (chunk) => passDown(connection, chunk),
      }),
    }
    connections.add(connection)
    counts.connections += 1
    for (const socket of [client, server]) {
      socket.on('close', () => {
        if (client.destroyed && server.destroyed) connections.delete(connection)
      })
    }
  }

  function passUp(connection: Connection, chunk: Buffer): boolean {
    const trap = traps.sprungBy(connection, chunk)
    if (trap?.at === 'request') {
      if (trap.does === 'hold') hold(connection)
      else if (trap.does === 'drop') reset(connection)
      else if (trap.does === 'strand') trap.stranded?.(strand(connection, chunk))
      else setTimeout(() => connection.server.write(chunk), trap.ms ?? 0)
      trap.sprung()
      return false
    }
    counts.bytesUp += chunk.length
    if (trap?.does === 'hold') holdAnswer(connection, trap)
    else if (trap?.does === 'drop') loseAnswer(connection, trap)
    else if (trap) {
      connection.lateMs = trap.ms ?? 0
      trap.sprung()
    }
    return true
  }

  function passDown(connection: Connection, chunk: Buffer): boolean {
    counts.bytesDown += chunk.length
    if (connection.asked) counts.roundTrips += 1
    connection.asked = false
    return true
  }

  /**
   * Ends the server's side without a reset, so that the server reads everything that it was sent
   * before it sees the end.
   */
  function loseAnswer(connection: Connection, trap: Trap): void {
    connection.up.abandon()
    connection.down.abandon()
    // In a microtask, because the current chunk leaves only when this function has returned.
    queueMicrotask(() => connection.server.end())
    connection.server.once('close', () => {
      reset(connection)
      trap.sprung()
    })
  }

  function hold({ client, server, up, down }: Connection): void {
    up.abandon()
    down.abandon()
    const close = (): void => {
      server.destroy()
      client.destroy()
    }
    client.once('end', close)
    client.once('close', close)
  }

  function holdAnswer(connection: Connection, trap: Trap): void {
    hold(connection)
    connection.server.once('data', trap.sprung)
  }

  function strand({ client, server, up, down }: Connection, chunk: Buffer): () => Promise<void> {
    up.abandon()
    down.abandon()
    client.resetAndDestroy()
    return async () => {
      server.write(chunk)
      await once(server, 'data')
      server.destroy()
    }
  }

  function reset(connection: Connection): void {
    connections.delete(connection)
    connection.up.abandon()
    connection.down.abandon()
    connection.client.resetAndDestroy()
    connection.server.resetAndDestroy()
  }

  function stall(directions: Partial<typeof stalled>): void {
    Object.assign(stalled, directions)
    for (const { up, down } of connections) {
      up.update()
      down.update()
    }
  }

  function refuse(): void {
    listener?.close()
    listener = undefined
  }

  async function accept(): Promise<void> {
    if (listener) return
    listener = createServer({ allowHalfOpen: true, noDelay: true }, open)
    listener.listen({ port, host: '127.0.0.1' })
    await once(listener, 'listening')
  }

  function cut(): void {
    for (const connection of connections) reset(connection)
  }

  await accept()
  return {
    port,
    through: (url) => Object.assign(new URL(url), { hostname: '127.0.0.1', port: `${port}` }).href,
    open: () => connections.size,
    counts: () => ({ ...counts }),
    resetCounts: () => {
      counts = noCounts()
    },
    cut,
    stall: () => stall({ up: true, down: true }),
    stallUpstream: () => stall({ up: true }),
    stallDownstream: () => stall({ down: true }),
    resume: () => stall({ up: false, down: false }),
    dropAfter: (sent) => traps.set({ does: 'drop', at: 'answer' }, sent),
    dropBefore: (sent) => traps.set({ does: 'drop', at: 'request' }, sent),
    holdBefore: (sent) => traps.set({ does: 'hold', at: 'request' }, sent),
    holdAfter: (sent) => traps.set({ does: 'hold', at: 'answer' }, sent),
    delayBefore: (sent, ms) => traps.set({ does: 'delay', ms, at: 'request' }, sent),
    delayAfter: (sent, ms) => traps.set({ does: 'delay', ms, at: 'answer' }, sent),
    strandBefore: async (sent) => {
      let deliver = async (): Promise<void> => {}
      const stranded = (it: typeof deliver): void => {
        deliver = it
      }
      await traps.set({ does: 'strand', at: 'request', stranded }, sent)
      return deliver
    },
    refuse,
    accept,
    retarget: (next) => {
      address = addressOf(next)
    },
    latency: (ms) => {
      delayMs = ms
    },
    stop: async () => {
      const closing = listener
      const closed = closing && once(closing, 'close')
      refuse()
      cut()
      await closed
    },
  }
}

function addressOf(target: ProxyTarget): { host: string; port: number } {
  return typeof target === 'number' ? { host: '127.0.0.1', port: target } : target
}

function noCounts(): ProxyCounts {
  return { connections: 0, roundTrips: 0, bytesUp: 0, bytesDown: 0 }
}
