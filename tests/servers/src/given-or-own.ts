export interface GivenOrOwn<Server> {
  /** Whether the environment names the server. Tests must then leave it as it was. */
  readonly isGiven: boolean
  /** The URL of the server for tests that leave it as it is. */
  url(): string
  /** The address on which it listens, for a proxy. */
  address(): { readonly host: string; readonly port: number }
  /**
   * A server that tests may kill, fill and reconfigure. It is always our own, and is started at the
   * first call.
   */
  own(): Promise<Server>
  /** Stops the servers that were started; a given one stays. */
  stop(): Promise<void>
}

/** The server whose URL is in the environment variable `variable`, or one of our own. */
export async function givenOrOwn<Server extends { url: string; stop(): Promise<void> }>(
  variable: string,
  start: () => Promise<Server>,
): Promise<GivenOrOwn<Server>> {
  const given = process.env[variable]
  let started: Promise<Server> | undefined
  const own = (): Promise<Server> => {
    started ??= start()
    return started
  }
  const url = given ?? (await own()).url
  const { hostname, port } = new URL(url)
  if (port === '') throw new Error(`${variable} needs a port: "${url}".`)
  return {
    isGiven: given !== undefined,
    url: () => url,
    address: () => ({ host: hostname, port: Number(port) }),
    own,
    stop: async () => (await started)?.stop(),
  }
}
