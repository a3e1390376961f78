import { execFile, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describeIdempotency } from '@oncekey/openapi'
import { findProgram, findPromtool } from '@oncekey/test-servers'
import { closed, listening } from '@oncekey/test-shop'
import { webhooks } from '@oncekey/webhooks'
import { signWebhook } from '@oncekey/webhooks/sign'
import { Pool } from 'pg'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { type Block, everyBlock } from '../src/blocks.ts'
import { fateOf } from '../src/fates.ts'
import { SECRET } from '../src/running/reader.ts'
import { makeWorld, type World } from '../src/running/world.ts'
import { workspace } from '../src/site.ts'

const run = promisify(execFile)
const ours = everyBlock().filter((block) =>
  fateOf(block)?.by?.includes('tests/docs/test/blocks.int.test.ts'),
)
let world: World
let pool: Pool
let folder: string

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'oncekey-blocks-'))
  world = await makeWorld(inject('postgresUrl'))
  pool = new Pool({ connectionString: world.database.url })
})
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true })
  await pool?.end()
  await world?.database.drop()
})

function blocksIn(language: string, having = ''): Block[] {
  const found = ours.filter((block) => block.language === language && block.text.includes(having))
  expect(found).not.toEqual([])
  return found
}

const placeOf = ({ page, line }: Block) => `${page}:${line}`

test('every SQL block for PostgreSQL runs', async () => {
  for (const block of blocksIn('sql').filter((one) => !isOfMysql(one))) {
    const parameters = block.text.includes('$1') ? ['k-1', 4200] : []
    await pool.query(block.text, parameters).catch((error) => {
      throw new Error(placeOf(block), { cause: error })
    })
  }
})

const isOfMysql = ({ page }: Block) => page === 'docs/writing-a-store.md'

test('MariaDB creates the tables of the store for MySQL, and prepares each of its statements', async () => {
  const mariadbd = await findProgram({
    program: 'mariadbd',
    debianPackage: 'mariadb-server-core',
    missing: 'The statements of docs/writing-a-store.md are prepared by MariaDB: install mariadbd.',
  })
  const [{ text } = { text: '' }] = blocksIn('sql').filter(isOfMysql)
  const statements = text
    .replaceAll(/--.*$/gm, '')
    .split(';')
    .map((statement) => statement.replaceAll(/\s+/g, ' ').trim())
    .filter((statement) => statement !== '')
  expect(statements.length).toBeGreaterThan(20)
  const script = statements.map((statement) =>
    statement.startsWith('create table') ? statement : `prepare one from "${statement}"`,
  )
  const child = spawn(mariadbd, [
    '--no-defaults',
    '--bootstrap',
    `--datadir=${folder}`,
    '--user=root',
  ])
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += chunk))
  child.stdin.end(`create database shop;\nuse shop;\n${script.join(';\n')};\n`)
  const code = await new Promise((resolve) => child.once('close', resolve))
  expect(said).not.toMatch(/^ERROR/m)
  expect(code, said).toBe(0)
})

test('every expression for Prometheus is understood, and its metrics exist', async () => {
  const promtool = await findPromtool()
  const metrics = readFileSync(join(workspace, 'docs/reference/metrics.md'), 'utf8')
  const blocks = blocksIn('promql')
  const rules = blocks.map(({ text }, index) => ({ record: `block:${index}`, expr: text }))
  writeFileSync(join(folder, 'rules.yml'), JSON.stringify({ groups: [{ name: 'all', rules }] }))
  await run(promtool, ['check', 'rules', join(folder, 'rules.yml')])
  for (const block of blocks) {
    for (const [name] of block.text.matchAll(/\boncekey_\w+/g)) {
      expect(metrics, placeOf(block)).toContain(name.replace(/_count$/, ''))
    }
  }
})

test('what pages have npm install is what their first program imports', () => {
  const known = new Set<string>()
  for (const file of ['pnpm-workspace.yaml', 'pnpm-lock.yaml']) {
    const text = readFileSync(join(workspace, file), 'utf8')
    for (const [, name = ''] of text.matchAll(/^ {2,6}'?(@?[\w./-]+?)'?:/gm)) known.add(name)
  }
  for (const block of blocksIn('sh', 'npm install')) {
    const [, line = ''] = /npm install ([^#\n]*)/.exec(block.text) ?? []
    const names = line.split(' ').filter((word) => word !== '' && !word.startsWith('-'))
    for (const name of names) {
      expect(known.has(name) || name === 'oncekey' || name.startsWith('@oncekey/'), name).toBe(true)
    }
    const program = everyBlock().find(
      ({ page, line: at, language }) => page === block.page && at > block.line && language === 'ts',
    )
    const imported = [...(program?.text.matchAll(/^import .* from '([^'.][^']*)'/gm) ?? [])]
      .map(([, module = '']) => module)
      .filter((module) => !module.startsWith('node:') && !/^import type/.test(module))
      .map((module) =>
        module
          .split('/')
          .slice(0, module.startsWith('@') ? 2 : 1)
          .join('/'),
      )
    const missing = imported.filter((name) => !names.includes(name) && !isThere(block.page, name))
    expect(missing, placeOf(block)).toEqual([])
  }
})

/** What whoever reads a README has already: their framework, or the generator that they use. */
const isThere = (page: string, name: string) =>
  (page === 'packages/nestjs/README.md' && name.startsWith('@nestjs/')) ||
  (page === 'packages/openapi/README.md' && name === '@fastify/swagger')

test('the signature that a shell makes is the one that is sent', async () => {
  const body = '{"type":"order.created","data":{}}'
  const timestamp = new Date(1_790_000_000_000)
  const [{ text } = { text: '' }] = blocksIn('sh', 'openssl')
  const { stdout } = await run('bash', ['-c', text], {
    env: { PATH: process.env.PATH, ID: 'msg_1', TIMESTAMP: '1790000000', BODY: body, SECRET },
  })
  const headers = signWebhook({ id: 'msg_1', body, timestamp, secrets: [SECRET] })
  expect(`v1,${stdout.trim()}`).toBe(headers['webhook-signature'])
})

test('a webhook arrives with the headers and the body that the page shows', async () => {
  const [{ text } = { text: '' }] = blocksIn('http', 'POST /hooks')
  let arrive: (webhook: { headers: string[]; body: string }) => void = () => {}
  const arrived = new Promise<{ headers: string[]; body: string }>((resolve) => {
    arrive = resolve
  })
  const receiver = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    response.writeHead(204).end()
    arrive({ headers: request.rawHeaders, body })
  })
  const hooks = webhooks({ client: pool, allowHttp: true, allowAddresses: ['127.0.0.1'] })
  const url = `${await listening(receiver)}/hooks`
  const { endpoint } = await hooks.endpoints.register({ url, types: ['order.*'] })
  await hooks.endpoints.ping(endpoint.id)
  const { headers, body } = await arrived
  await closed(receiver)
  const shown = [...text.matchAll(/^([a-z-]+): /gm)].map(([, name]) => name)
  expect(shown.length).toBeGreaterThan(4)
  for (const name of shown) expect(headers.map((each) => each.toLowerCase())).toContain(name)
  const members = [...text.matchAll(/"(\w+)":/g)].map(([, name]) => name)
  expect(Object.keys(JSON.parse(body))).toEqual(members)
})

test('the components that a description refers to are there', () => {
  const { components } = describeIdempotency({ openapi: '3.1.1', paths: {} }) as unknown as {
    components: Record<string, Record<string, object>>
  }
  for (const block of blocksIn('yaml', '$ref')) {
    const refs = [...block.text.matchAll(/#\/components\/(\w+)\/(\w+)/g)]
    expect(refs, placeOf(block)).not.toEqual([])
    for (const [, kind = '', name = ''] of refs) expect(components[kind]).toHaveProperty(name)
  }
})
