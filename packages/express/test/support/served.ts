import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import express5 from 'express'
import express4 from 'express4'
import { onTestFinished } from 'vitest'

/** Tests that depend on Express run on both versions. */
export const expressVersions: readonly [name: string, express: typeof express5][] = [
  ['Express 4', express4],
  ['Express 5', express5],
]

/** Serves an app until the test ends; returns its port. */
export async function served(app: express5.Express): Promise<number> {
  const server = createServer(app)
  await listening(server)
  onTestFinished(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return (server.address() as AddressInfo).port
}

/** An app that does not log errors. */
export function quietApp(express: typeof express5): express5.Express {
  const app = express()
  app.set('env', 'test')
  return app
}

function listening(server: Server): Promise<void> {
  return new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
}
