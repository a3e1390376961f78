import type { Server } from 'node:http'
import type { createAdaptorServer } from '@hono/node-server'

/** A version of @hono/node-server. A process has one of them: each replaces the global Response. */
export interface NodeServer {
  readonly serve: (app: Parameters<typeof createAdaptorServer>[0]) => Server
  readonly RESPONSE_ALREADY_SENT: Response
}

export async function nodeServer1(): Promise<NodeServer> {
  const { createAdaptorServer } = await import('@hono/node-server')
  const { RESPONSE_ALREADY_SENT } = await import('@hono/node-server/utils/response')
  return { serve: (app) => createAdaptorServer(app) as Server, RESPONSE_ALREADY_SENT }
}

export async function nodeServer2(): Promise<NodeServer> {
  const { createAdaptorServer } = await import('node-server-2')
  const { RESPONSE_ALREADY_SENT } = await import('node-server-2/utils/response')
  return { serve: (app) => createAdaptorServer(app) as Server, RESPONSE_ALREADY_SENT }
}
