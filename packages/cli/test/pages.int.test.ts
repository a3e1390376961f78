import { execFile, execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSagaRunner, saga } from '@oncekey/saga'
import { type RedisServer, startRedis } from '@oncekey/test-servers'
import { finish, receiptsDue, troubledShop } from '@oncekey/test-shop'
import type { PoolClient } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { findCommand, parse } from '../src/command/parse.ts'
import { commands as verbs } from '../src/commands.ts'
import { bareEnv, nodeArgs } from './oncekey.ts'

const docs = new URL('../../../docs/', import.meta.url)
const read = (page: string) => readFileSync(new URL(page, docs), 'utf8')

let shop: Awaited<ReturnType<typeof troubledShop>>
let redis: RedisServer
let folder: string
/** What the page names, and what that is here. */
let names: ReadonlyMap<string, string>

beforeAll(async () => {
  redis = await startRedis()
  shop = await troubledShop()
  const headers = { customer: '7' }
  const receipts = receiptsDue(4).map((receipt) => ({ ...receipt, headers }))
  const [event] = receipts
  await shop.log.append(receipts)
  await shop.deliver()
  shop.state.receiverAnswers = 204
  // A run that nobody drives: it is under way until somebody does.
  const order = saga<object, PoolClient>('order', { version: 1 }).step('reserve', {
    run: () => ({ shelf: 7 }),
  })
  const runner = createSagaRunner({ client: shop.pool, sagas: [order] })
  await runner.submit(order, { id: 'order-19', input: {} })
  await runner.stop()
  await shop.log.subscribe({ consumer: 'email-v1', types: ['order.*'], startAt: 'beginning' })
  await finish(shop.store, '9c1e44aa', '{"id":9007199254740993,"cents":4200}', undefined, [
    ['location', '/payments/9007199254740993'],
  ])
  const letters = await shop.log.deadLetters.list({}, { limit: 10 })
  const [, second, third] = letters.items
  names = new Map([
    ['b51d0a30', 'lost-1'],
    ['77aa0c52b3d1f00e', 'json1:abc'],
    ['email', 'mailer'],
    ['34', second?.id ?? ''],
    ['35', third?.id ?? ''],
    ['01a225d6-78c2-7006-aa0f-58c6a9fadf34', shop.endpointId],
    ['01a225d6-6d02-7d10-b7a1-5f3c2d1e0f13', event?.id ?? ''],
    ['order-18', 'order-19'],
  ])
  folder = mkdtempSync(join(tmpdir(), 'oncekey-pages-'))
  const program = join(folder, 'oncekey')
  writeFileSync(program, `#!/bin/sh\nexec '${process.execPath}' ${nodeArgs.join(' ')} "$@"\n`)
  chmodSync(program, 0o755)
})
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true })
  await shop?.close()
  await redis?.stop()
})

test('each verb of docs/cli.md prints what the page shows', { timeout: 480_000 }, async () => {
  const blocks = [...read('cli.md').matchAll(/^```console\n(.*?)^```$/gms)]
  expect(blocks.length).toBeGreaterThan(30)
  const faults: string[] = []
  for (const [, block = ''] of blocks) {
    for (const part of block.replaceAll('\\\n', '').split(/^\$ /m).slice(1)) {
      const [command = '', ...printed] = part.trimEnd().split('\n')
      const output = await run(command)
      const shapes = shapesOf(output.split('\n'))
      const missing = shapesOf(printed).filter((shape) => !shapes.includes(shape))
      if (missing.length > 0) faults.push(`$ ${command}\n${missing.join('\n')}\n\nof\n${output}`)
    }
  }
  expect(faults).toEqual([])
})

const PAGES: readonly string[] = [
  'cli.md',
  '../packages/cli/README.md',
  ...readdirSync(new URL('alerts', docs)).map((name) => `alerts/${name}`),
]

test('the program understands every command that a page shows by itself', {
  timeout: 480_000,
}, async () => {
  const commands = PAGES.flatMap(commandsOf)
  expect(commands.length).toBeGreaterThan(15)
  for (const command of commands) {
    const output = await run(filledIn(command))
    expect(output, command).not.toMatch(/See oncekey .* --help|There is no verb/)
  }
})

test('the program understands the examples of its help', () => {
  const examples = commandsOf('reference/verbs.md')
  expect(examples.length).toBeGreaterThan(40)
  // A shell splits them into words, each with a null behind it, and a line for each example.
  const script = examples.map(
    (example) => `printf '%s\\0' ${example.replace(/ [|>] .*$/, '')}; echo`,
  )
  const split = execFileSync('bash', ['-c', script.join('\n')], { encoding: 'utf8' })
  for (const [index, example] of examples.entries()) {
    const words = split.split('\n')[index]?.split('\0').slice(1, -1) ?? []
    const found = findCommand(verbs, words)
    expect(found, example).toBeDefined()
    if (found !== undefined) parse(found.command, found.rest)
  }
})

/** The commands in the blocks for a shell, without comments. */
const commandsOf = (page: string): string[] =>
  [...read(page).matchAll(/^( *)```sh\n(.*?)^\1```$/gms)].flatMap(([, , block = '']) =>
    [...block.matchAll(/^ *(?:npx )?(oncekey .*)$/gm)].map(([, command = '']) => command),
  )

/** A command with something that is there in the places of its words in capitals. */
function filledIn(command: string): string {
  const id = command.includes('sagas')
    ? 'order-17'
    : command.includes('webhooks')
      ? shop.endpointId
      : '34'
  return command
    .replaceAll(/\bID\b/g, id)
    .replaceAll(/\bSOURCE\b/g, 'consumers')
    .replaceAll(/\bKEY\b/g, 'lost-2')
    .replaceAll(/\bSCOPE\b/g, 'customer-7')
    .replaceAll(/\bFINGERPRINT\b/g, '1523a07e326b5501')
    .replace(/ +#.*$/, '')
    .replace(/ [|>] .*$/, '') // where it goes from there is the shell's
}

/** Runs a command of a page in a shell and resolves with all that it prints. */
function run(command: string): Promise<string> {
  const { PATH } = bareEnv()
  const env = {
    PATH: `${folder}:${PATH}`,
    HOME: folder,
    DATABASE_URL: shop.url,
    ONCEKEY_ACTOR: 'maria@shop.example',
  }
  const onPage = new RegExp(
    [...names.keys()].map((name) => `(?<![\\w-])${name}(?!-v|\\w)`).join('|'),
    'g',
  )
  const here = command
    .replaceAll(onPage, (name) => names.get(name) ?? name)
    .replace('redis://cache.internal', redis.url)
  return new Promise((resolve) => {
    execFile('bash', ['-c', `exec ${here}`], { cwd: folder, env }, (_, stdout, stderr) =>
      resolve(stdout + stderr),
    )
  })
}

/**
 * What of an output is the same on any day: the heads of tables, the labels of values, the names of
 * checks, the members of JSON, and sentences without what they tell of.
 */
function shapesOf(lines: readonly string[]): string[] {
  let isBelowHead = false
  let isFirst = true
  return lines.flatMap((line) => {
    const isHead = isFirst && /^[a-z]+( [a-z]+)*( {2,}[a-z]+( [a-z]+)*)+ *…?$/.test(line)
    isFirst = line === ''
    if (line === '') isBelowHead = false
    if (isHead) isBelowHead = true
    if (isHead) {
      const columns = line.split(/ {2,}/).filter((column) => !column.endsWith('…'))
      return columns.map((column) => `column ${column}`)
    }
    if (isBelowHead || line === '' || line === '…') return []
    const [, check] = /^[✓✗] ([a-z ]+):/.exec(line) ?? []
    if (check !== undefined) return [`check ${check}`]
    const [, member] = /^ {2,6}"(\w+)":/.exec(line) ?? []
    if (member !== undefined) return [`member ${member}`]
    const [, label] = /^([a-z][a-z -]*?) {2,}\S/.exec(line) ?? []
    if (label !== undefined) return [`label ${label}`]
    // Data, findings and what was cut off at the edge of the terminal differ.
    if (/^\s|^\d+\. |^\d{4}-|…$|^[{}]|^whsec_/.test(line)) return []
    return [masked(line)]
  })
}

const masked = (line: string) =>
  line
    .replaceAll(/"[^"]*"/g, '"…"')
    .replaceAll(/\([^)]*\)/g, '(…)')
    .replaceAll(/\b[0-9a-f]{8}-[0-9a-f-]{27}\b/g, 'ID')
    .replaceAll(/https?:\/\/\S+/g, 'URL')
    .replaceAll(/\border-\d+|\S+@\S+/g, 'NAME')
    .replaceAll(/\d+(\.\d+)?(ms|s|m|h)?( \d+s)?/g, 'N')
