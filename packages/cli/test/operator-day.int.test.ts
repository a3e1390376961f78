import { execFile } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { waitFor } from '@oncekey/test-servers'
import { troubledShop } from '@oncekey/test-shop'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { bareEnv, nodeArgs } from './oncekey.ts'

const PAGE = new URL('../../../docs/operators-day.md', import.meta.url)

let shop: Awaited<ReturnType<typeof troubledShop>>
let folder: string

// For each try anew, because a try that fails leaves a shop whose troubles are half over.
beforeEach(async () => {
  shop = await troubledShop({ receipts: 600 })
  shop.open()
  folder = mkdtempSync(join(tmpdir(), 'oncekey-day-'))
  const program = join(folder, 'oncekey')
  writeFileSync(program, `#!/bin/sh\nexec '${process.execPath}' ${nodeArgs.join(' ')} "$@"\n`)
  chmodSync(program, 0o755)
})
afterEach(async () => {
  rmSync(folder, { recursive: true, force: true })
  await shop.close()
})

/** What happens outside of the terminal at the places where a comment on the page says so. */
const HAPPENINGS: Readonly<Record<string, () => unknown>> = {
  'the mail server is back': () => (shop.state.mailServerIsDown = false),
  'the receiver is back': () => (shop.state.receiverAnswers = 204),
  'the carrier answers': () => (shop.state.carrierIsDown = false),
  'order-17 is over': () =>
    waitFor(async () => (await shop.sagas.get('order-17'))?.state === 'completed', {
      what: 'the end of order-17',
    }),
}

test('somebody who types what the page says sees what it says', { timeout: 240_000 }, async () => {
  /** The names that differ between the page and this run. */
  const names = new Map([
    ['01a22973-c196-75e0-86e4-fa5a330bb764', shop.endpointId],
    ['451', shop.letterId],
  ])
  for (const [, happens, block = ''] of readFileSync(PAGE, 'utf8').matchAll(PARTS)) {
    if (happens !== undefined) {
      const make = HAPPENINGS[happens]
      if (make === undefined) throw new Error(`Nothing happens at "${happens}".`)
      await make()
    } else {
      for (const step of stepsOf(block)) await take(step, names)
    }
  }
  const { rows } = await shop.pool.query(
    `select count(*)::int as count from oncekey.operations where actor = 'maria@shop.example'`,
  )
  expect(rows).toEqual([{ count: 8 }])
})

const PARTS = /<!-- here: (.*?) -->|^```console\n(.*?)^```$/gms

interface Step {
  readonly command: string
  /** Lines of the output. A line `…` stands for lines that the page leaves out. */
  readonly printed: readonly string[]
}

function stepsOf(block: string): Step[] {
  const [, ...parts] = block.replaceAll('\\\n', '').split(/^\$ /m)
  return parts.map((part) => {
    const [command = '', ...printed] = part.trimEnd().split('\n')
    return { command, printed }
  })
}

async function take({ command, printed }: Step, names: Map<string, string>): Promise<void> {
  const { PATH, HOME } = bareEnv()
  const ran = await promisify(execFile)('bash', ['-c', named(command, names)], {
    cwd: folder,
    env: {
      PATH: `${folder}:${PATH}`,
      HOME,
      DATABASE_URL: shop.url,
      ONCEKEY_ACTOR: 'maria@shop.example',
    },
  }).catch((error: { stdout: string; stderr: string }) => error)
  learn(printed.join('\n'), ran.stdout, names)
  const output = anyDay(ran.stdout)
  let from = 0
  let isOpen = false
  for (const line of printed) {
    if (line === '…') {
      isOpen = true
      continue
    }
    const wanted = anyDay(named(line, names))
    const at = output.indexOf(wanted[0] ?? '', from)
    const said = `$ ${command}\n${line}\n\nwas not printed:\n${ran.stdout}${ran.stderr}`
    expect(isOpen ? at >= from : at === from, said).toBe(true)
    from = at + 1
    isOpen = false
  }
}

/** Learns the numbers of redrives from the output, because the database assigns them. */
function learn(page: string, output: string, names: Map<string, string>): void {
  const number = /It is redrive (\d+)/
  const [, onPage] = number.exec(page) ?? []
  const [, here] = number.exec(output) ?? []
  if (onPage !== undefined && here !== undefined) names.set(onPage, here)
}

function named(text: string, names: ReadonlyMap<string, string>): string {
  // As whole words: an id that was made at random may have the digits of another one in it.
  const onPage = new RegExp([...names.keys()].map((name) => `\\b${name}\\b`).join('|'), 'g')
  return text.replaceAll(onPage, (name) => names.get(name) ?? name)
}

/**
 * The lines without spaces, times, progress and anything that the database or the system has
 * chosen.
 */
function anyDay(text: string): string[] {
  return text
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:]+Z/g, 'TIME')
    .replaceAll(/\b\d+ of \d+\b/g, 'N of N')
    .replaceAll(/127\.0\.0\.1:\d+/g, 'HOST')
    .replaceAll(/enabled +\d+(ms|s|m)( \d+s)?/g, 'enabled AGE')
    .replaceAll(/^\d+ took the place|event id \S+$/gm, 'ID')
    .replaceAll(/(1523a07e326b5501) +\d+/g, '$1 ID')
    .replaceAll(/ +/g, ' ')
    .split('\n')
}
