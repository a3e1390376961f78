import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import express5 from 'express'
import express4 from 'express4'
import { onTestFinished } from 'vitest'

/** Every test of a behaviour that Express has a part in runs on both. */
export const expressVersions: readonly [name: string, express: typeof express5][] = [
  ['Express 4', express4],
  ['Express 5', express5],
]

/** Serves an app until the test is over; returns its port. */
export async function served(app: express5.Express): Promise<number> {
  const server = createServer(app)
  await listening(server)
  onTestFinished(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return (server.address() as AddressInfo).port
}

/** An app that says nothing of errors on the console. */
export function quietApp(express: typeof express5): express5.Express {
  const app = express()
  app.set('env', 'test')
  return app
}

function listening(server: Server): Promise<void> {
  return new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
}
