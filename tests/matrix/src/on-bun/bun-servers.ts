import type { ServeSite } from '@oncekey/conformance'
import { Elysia } from 'elysia'
import { type FetchSite, fetchSite } from '../../../../packages/web/test/fetch-site.ts'

/** The part of Bun that is used here. */
declare const Bun: {
  serve(options: { port: number; hostname: string; fetch: FetchSite['fetch'] }): BunServer
}

interface BunServer {
  readonly port: number
  stop(closeConnections: boolean): Promise<void>
}

export type BunServerName = 'Bun.serve' | 'Elysia'

/** How a site is served on Bun, by the server that serves it. Only Bun can call these. */
export const bunServers: Readonly<Record<BunServerName, ServeSite>> = {
  'Bun.serve': served((fetch) => Bun.serve({ port: 0, hostname: '127.0.0.1', fetch })),

  Elysia: served((fetch) => {
    // `parse: 'none'` leaves the body to the handler.
    const app = new Elysia().all('/*', ({ request }) => fetch(request), { parse: 'none' })
    app.listen({ port: 0, hostname: '127.0.0.1' })
    return app.server as unknown as BunServer
  }),
}

function served(start: (fetch: FetchSite['fetch']) => BunServer): ServeSite {
  return async (site) => {
    const { fetch, drain } = fetchSite(site)
    const server = start(fetch)
    return {
      url: `http://127.0.0.1:${server.port}`,
      drain,
      close: () => server.stop(true),
    }
  }
}
