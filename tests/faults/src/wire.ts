import { startProxy, type TcpProxy } from '@oncekey/test-servers'

/** Faults of the connections from one process to another. */
export type Wire = Pick<
  TcpProxy,
  | 'cut'
  | 'stall'
  | 'stallDownstream'
  | 'resume'
  | 'dropAfter'
  | 'dropBefore'
  | 'refuse'
  | 'accept'
  | 'latency'
>

export interface Wires extends Wire {
  /** The ports of the proxies, in the order of their targets. */
  readonly ports: readonly number[]
  stop(): Promise<void>
}

/**
 * A proxy for each of these ports. All of them get every fault, because together they are one
 * route.
 */
export async function startWires(targets: readonly number[]): Promise<Wires> {
  const proxies = await Promise.all(targets.map((port) => startProxy(port)))
  const each = (act: (proxy: TcpProxy) => void) => (): void => proxies.forEach(act)
  const all = async (act: (proxy: TcpProxy) => Promise<void>): Promise<void> => {
    await Promise.all(proxies.map(act))
  }
  return {
    ports: proxies.map(({ port }) => port),
    cut: each((proxy) => proxy.cut()),
    stall: each((proxy) => proxy.stall()),
    stallDownstream: each((proxy) => proxy.stallDownstream()),
    resume: each((proxy) => proxy.resume()),
    refuse: each((proxy) => proxy.refuse()),
    latency: (ms) => each((proxy) => proxy.latency(ms))(),
    accept: () => all((proxy) => proxy.accept()),
    dropAfter: (sent) => Promise.race(proxies.map((proxy) => proxy.dropAfter(sent))),
    dropBefore: (sent) => Promise.race(proxies.map((proxy) => proxy.dropBefore(sent))),
    stop: () => all((proxy) => proxy.stop()),
  }
}
