import { AsyncLocalStorage } from 'node:async_hooks'
import { once as emitted } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { memoryStore } from '@oncekey/core'
import express from 'express'
import Fastify from 'fastify'
import { afterEach, expect, test } from 'vitest'
import { dashboard } from '../src/index.ts'
import { toNode } from '../src/node.ts'

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

interface User {
  readonly email: string
  readonly isOperator: boolean
}

const loggedIn = new AsyncLocalStorage<User | undefined>()
const show = dashboard({
  store: memoryStore({ mode: 'lease' }),
  basePath: '/ops',
  authorize: () => {
    const user = loggedIn.getStore()
    if (user === undefined) return null
    return { actor: user.email, may: user.isOperator ? 'all' : 'read-only' }
  },
})
const serve = toNode(show)

/** Stands for a session: the cookie says who it is. */
function userOf(cookie: string | undefined): User | undefined {
  if (cookie === undefined) return undefined
  return { email: `${cookie}@shop.example`, isOperator: cookie === 'maria' }
}

// The documentation showed no way from a session to `authorize`, which gets a fetch Request.
test.each(['Express', 'Fastify'])('authorize sees who a session of %s is', async (framework) => {
  const server = framework === 'Express' ? onExpress() : await onFastify()
  servers.push(server)
  server.listen(0, '127.0.0.1')
  await emitted(server, 'listening')
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/ops`
  const act = async (cookie?: string) => {
    const response = await fetch(`${base}/api/v1/keys/release`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(cookie && { cookie }) },
      body: JSON.stringify({
        namespace: 'http',
        scope: 'a',
        key: 'k',
        note: 'x',
        confirmed: 'yes',
      }),
    })
    return response.status
  }
  const read = async (cookie?: string) =>
    (await fetch(`${base}/api/v1/keys`, { headers: cookie ? { cookie } : {} })).status
  // The key does not exist, which an act answers with 200; whoever may not act gets 403 before.
  expect([await read('maria'), await read('anna'), await read()]).toEqual([200, 200, 403])
  expect([await act('maria'), await act('anna'), await act()]).toEqual([200, 403, 403])
})

function onExpress(): Server {
  const app = express().use('/ops', (req, res, next) => {
    loggedIn.run(userOf(req.headers.cookie), () => serve(req, res, next))
  })
  return createServer(app)
}

async function onFastify(): Promise<Server> {
  const app = Fastify()
  await app.register(async (scope) => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', (_, __, done) => done(null))
    scope.all('/ops/*', (request, reply) => {
      reply.hijack()
      loggedIn.run(userOf(request.headers.cookie), () => serve(request.raw, reply.raw))
    })
  })
  await app.ready()
  return app.server
}
