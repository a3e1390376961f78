import { once as emitted } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import type { ServeSite } from '@oncekey/conformance'
import { fetchSite } from './fetch-site.ts'

/** Runs `(Request) => Response` handlers through the adapter contract, on Node's server. */
export const serveWithFetch: ServeSite = async (site) => {
  const { fetch, drain } = fetchSite(site)
  const server = createAdaptorServer({ fetch })
  server.listen(0, '127.0.0.1')
  await emitted(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    drain,
    closeIdle() {
      if ('closeIdleConnections' in server) server.closeIdleConnections()
    },
    async close() {
      if ('closeAllConnections' in server) server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
