export interface GivenOrOwn<Server> {
  /** Whether the environment named it: then it is left as it was. */
  readonly isGiven: boolean
  /** Of the server that tests use and leave as it is. */
  url(): string
  /** Where it listens, for a proxy. */
  address(): { readonly host: string; readonly port: number }
  /** One that may be killed, filled and set up otherwise: always our own, started when first asked for. */
  own(): Promise<Server>
  /** Stops what was started; what was given stays. */
  stop(): Promise<void>
}

/** The server whose URL the environment gives in `variable`, or one of our own. */
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
