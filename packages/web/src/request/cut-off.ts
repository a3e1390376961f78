/**
 * How much of a request has come. Only a request of Node over HTTP/1.1 says so itself. If it is not
 * the whole, an adaptor for Node may have read the part that came, or nothing, as if it were the
 * whole body: @hono/node-server does so if the app first looks at the body after the connection was
 * lost.
 */
export function arrivedOf(
  env: unknown,
  signal: AbortSignal | undefined,
): 'whole' | 'part' | 'unknown' {
  const incoming = incomingOf(env)
  if (incoming === undefined) return signal?.aborted ? 'unknown' : 'whole'
  // Node ends the body of an HTTP/2 stream that was reset, and calls it complete.
  if (incoming.httpVersionMajor >= 2) return incoming.aborted ? 'unknown' : 'whole'
  return incoming.destroyed && incoming.complete === false ? 'part' : 'whole'
}

/** The request of Node that @hono/node-server passes on as `env.incoming`. */
function incomingOf(env: unknown): Incoming | undefined {
  const { incoming } = (env ?? {}) as { incoming?: Partial<Incoming> }
  return typeof incoming?.httpVersionMajor === 'number' ? (incoming as Incoming) : undefined
}

interface Incoming {
  readonly httpVersionMajor: number
  readonly aborted: boolean
  /** Mocks lack it. */
  readonly complete?: boolean
  readonly destroyed: boolean
}
