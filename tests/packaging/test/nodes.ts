import { join } from 'node:path'
import { freePort, freshDatabase } from '@oncekey/test-servers'
import { describe, expect, inject, test } from 'vitest'
import { command } from '../src/command.ts'
import type { Installed } from '../src/installed.ts'
import { nodeBinary } from '../src/node-binary.ts'
import { testedNodes } from '../src/node-versions.ts'
import { everyPackage } from '../src/packages.ts'
import { startServer } from '../src/program.ts'
import { snippetOf } from '../src/readme.ts'

const packages = everyPackage()
const entries = packages.flatMap((one) => one.entries)

/** A consumer's programs on each Node. */
export function describeNodes(installed: () => Installed): void {
  describe.each(testedNodes)('on Node %s', (version) => {
    testNode(version, installed)
  })
}

function testNode(version: string, installed: () => Installed): void {
  test('every entry can be imported and required with the same exports', async () => {
    const { consumer } = installed()
    consumer.write('loads.cjs', LOADS)
    const node = await nodeBinary(version)
    const printed = await command(node, ['loads.cjs', ...entries], { cwd: consumer.folder })
    expect(JSON.parse(printed)).toEqual(
      entries.map((entry) => ({ entry, exports: true, same: true })),
    )
  })

  test('the main entries load without optional peers', async () => {
    const { frugal } = installed()
    frugal.write('loads.cjs', LOADS)
    const node = await nodeBinary(version)
    const frugals = packages.flatMap(({ manifest, entries }) =>
      manifest.peerDependenciesMeta === undefined ? entries : entries.slice(0, 1),
    )
    const printed = await command(node, ['loads.cjs', ...frugals], { cwd: frugal.folder })
    expect(JSON.parse(printed)).toHaveLength(frugals.length)
  })

  test('the stack of an error leads to the source', async () => {
    const { consumer } = installed()
    consumer.write('throws.mjs', THROWS)
    const node = await nodeBinary(version)
    const args = ['--enable-source-maps', 'throws.mjs']
    expect(await command(node, args, { cwd: consumer.folder })).toMatch(
      /core[/\\]src[/\\]memory[/\\]memory-store\.ts:\d+/,
    )
  })

  test('the command line creates a schema and reads it', async () => {
    const { consumer } = installed()
    const node = await nodeBinary(version)
    const program = join(consumer.packageFolder('oncekey'), 'bin', 'oncekey.js')
    const database = await freshDatabase(inject('postgresUrl'))
    const oncekey = (...args: string[]) =>
      command(node, [program, ...args, '--database', database.url], { cwd: consumer.folder })
    try {
      expect(await oncekey('migrate', '--with', 'saga', '--with', 'webhooks')).toMatch(
        /^postgres: went/,
      )
      expect(await oncekey('keys', 'list')).toBe('There are no such keys.\n')
      expect(JSON.parse(await oncekey('sagas', 'list', '--json'))).toEqual({ items: [] })
    } finally {
      await database.drop()
    }
  })

  test("the README's program makes a payment once", async () => {
    const { consumer } = installed()
    consumer.write('readme.mjs', snippetOf('README.md', 'app.listen('))
    const database = await freshDatabase(inject('postgresUrl'))
    const url = await running(version, installed(), 'readme.mjs', { DATABASE_URL: database.url })
    try {
      const pay = () => post(`${url.at}/payments`, { cents: 4200 })
      const text = '{"id":1,"cents":4200}'
      expect(await pay()).toEqual({ status: 201, replayed: null, text })
      expect(await pay()).toEqual({ status: 201, replayed: 'true', text })
    } finally {
      await url.stop()
      await database.drop()
    }
  })

  test('a CommonJS program with the Fastify plugin takes an order once', async () => {
    installed().consumer.write('fastify.cjs', FASTIFY)
    const server = await running(version, installed(), 'fastify.cjs', {})
    try {
      const order = () => post(`${server.at}/orders`, { item: 'kettle' })
      expect(await order()).toEqual({ status: 201, replayed: null, text: '{"order":1}' })
      expect(await order()).toEqual({ status: 201, replayed: 'true', text: '{"order":1}' })
    } finally {
      await server.stop()
    }
  })
}

async function running(
  version: string,
  { consumer }: Installed,
  script: string,
  env: Record<string, string>,
) {
  const PORT = String(await freePort())
  const node = await nodeBinary(version)
  const server = await startServer(node, script, { cwd: consumer.folder, env: { ...env, PORT } })
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
 * Prints for each entry whether it exports something, and the same both ways. Warnings make it
 * fail.
 */
const LOADS = `
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

const THROWS = `
import { memoryStore } from '@oncekey/core'
try { memoryStore({ maxRecords: 0 }) } catch (error) { console.log(error.stack) }
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
