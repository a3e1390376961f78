import { freePort, freshDatabase } from '@oncekey/test-servers'
import { expect, inject } from 'vitest'
import type { Installed } from '../src/installed.ts'
import { startServer } from '../src/program.ts'
import { snippetOf } from '../src/readme.ts'

/** How a script is run: a binary and what comes before the script. */
export interface Runner {
  readonly binary: string
  readonly args?: readonly string[]
}

/** A consumer's program, with its script in the consumer's folder. */
export type Script = (installed: Installed) => string

/** The program of the README, an ES module. */
export const readmeProgram: Script = ({ consumer }) => {
  consumer.write('readme.mjs', snippetOf('README.md', 'app.listen('))
  return 'readme.mjs'
}

export async function makesAPaymentOnce(
  installed: Installed,
  runner: Runner,
  script: Script = readmeProgram,
): Promise<void> {
  const database = await freshDatabase(inject('postgresUrl'))
  const env = { DATABASE_URL: database.url }
  try {
    const server = await running(installed, runner, script(installed), env)
    try {
      const pay = () => post(`${server.at}/payments`, { cents: 4200 })
      const text = '{"id":1,"cents":4200}'
      expect(await pay()).toEqual({ status: 201, replayed: null, text })
      expect(await pay()).toEqual({ status: 201, replayed: 'true', text })
    } finally {
      await server.stop()
    }
  } finally {
    await database.drop()
  }
}

/** A CommonJS program with the Fastify plugin. */
export const fastifyProgram: Script = ({ consumer }) => {
  consumer.write('fastify.cjs', FASTIFY)
  return 'fastify.cjs'
}

export async function takesAnOrderOnce(
  installed: Installed,
  runner: Runner,
  script: Script = fastifyProgram,
): Promise<void> {
  const server = await running(installed, runner, script(installed), {})
  try {
    const order = () => post(`${server.at}/orders`, { item: 'kettle' })
    expect(await order()).toEqual({ status: 201, replayed: null, text: '{"order":1}' })
    expect(await order()).toEqual({ status: 201, replayed: 'true', text: '{"order":1}' })
  } finally {
    await server.stop()
  }
}

/** An ES module that serves the dashboard. */
export const dashboardProgram: Script = ({ consumer }) => {
  consumer.write('dashboard.mjs', DASHBOARD)
  return 'dashboard.mjs'
}

export async function showsAPageWithItsStyles(
  installed: Installed,
  runner: Runner,
  script: Script = dashboardProgram,
): Promise<void> {
  const server = await running(installed, runner, script(installed), {})
  try {
    const page = await fetch(`${server.at}/admin/keys`)
    const text = await page.text()
    expect([page.status, text]).toEqual([200, expect.stringContaining('<nav')])
    const [, style] = /rel="stylesheet" href="([^"]+)"/.exec(text) ?? []
    const css = await fetch(new URL(style as string, page.url))
    expect([css.status, (await css.text()).length > 1_000]).toEqual([200, true])
  } finally {
    await server.stop()
  }
}

async function running(
  { consumer }: Installed,
  runner: Runner,
  script: string,
  env: Record<string, string>,
) {
  const PORT = String(await freePort())
  const server = await startServer(runner, script, { cwd: consumer.folder, env: { ...env, PORT } })
  return { at: `http://127.0.0.1:${PORT}`, stop: server.stop }
}

async function post(url: string, body: unknown) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': 'key-1', 'x-account': 'ana' },
    body: JSON.stringify(body),
  })
  const replayed = response.headers.get('x-idempotency-replayed')
  return { status: response.status, replayed, text: await response.text() }
}

/**
 * Prints for each entry whether it exports something, and whether `import` and `require` give the
 * same. Warnings make the program fail.
 */
export const LOADS = `
process.on('warning', (warning) => { throw warning })
async function load(entry) {
  const required = require(entry)
  const imported = await import(entry)
  const names = Object.keys(imported)
  const same = names.every((name) => required[name] === imported[name])
  return { entry, exports: names.length > 0, same }
}
Promise.all(process.argv.slice(2).map(load)).then((loaded) => console.log(JSON.stringify(loaded)))
`

const FASTIFY = `
const app = require('fastify')()
const { memoryStore } = require('@oncekey/core')
let orders = 0
app.register(require('@oncekey/fastify'), { store: memoryStore(), scope: (request) => request.headers['x-account'] })
app.register(async (routes) => {
  routes.post('/orders', async (request, reply) => {
    orders += 1
    return reply.code(201).send({ order: orders })
  })
})
app.listen({ port: Number(process.env.PORT), host: '127.0.0.1' })
`

const DASHBOARD = `
import { createServer } from 'node:http'
import { memoryStore } from '@oncekey/core'
import { dashboard } from '@oncekey/dashboard'
import { toNode } from '@oncekey/dashboard/node'
const authorize = () => ({ actor: 'maria', may: 'all' })
const show = dashboard({ store: memoryStore({ mode: 'lease' }), authorize, basePath: '/admin' })
createServer(toNode(show)).listen(Number(process.env.PORT), '127.0.0.1')
`
