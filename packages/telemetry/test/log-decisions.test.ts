import { runInNewContext } from 'node:vm'
import { memoryStore, once } from '@oncekey/core'
import { afterEach, expect, test } from 'vitest'
import { logDecisions } from '../src/index.ts'

const lines: [level: string, fields: Record<string, unknown>, text: string][] = []
const logger = {
  info: (fields: object, text: string) => void lines.push(['info', { ...fields }, text]),
  warn: (fields: object, text: string) => void lines.push(['warn', { ...fields }, text]),
}
const stops: (() => void)[] = []
afterEach(() => {
  lines.length = 0
  for (const stop of stops.splice(0)) stop()
})

test('logs one line for each call, without its key, and failures as warnings', async () => {
  stops.push(logDecisions(logger))
  const invoices = once({ store: memoryStore(), namespace: 'invoices' })
  await invoices.run({ scope: 's', key: 'the-key' }, () => 1)
  await invoices.run({ scope: 's', key: 'the-key' }, () => 1)
  const failing = invoices.run({ scope: 's', key: 'other' }, () => {
    throw new Error('no')
  })
  await expect(failing).rejects.toThrow('no')
  expect(lines.map(([level, , text]) => [level, text])).toEqual([
    ['info', 'invoices committed'],
    ['info', 'invoices replayed'],
    ['warn', 'invoices undone'],
  ])
  expect(lines[0]?.[1]).toMatchObject({
    namespace: 'invoices',
    keyDigest: expect.stringMatching(/^[\da-f]{16}$/),
    decision: 'run',
    attempt: 1,
    durationMs: expect.any(Number),
    claimMs: expect.any(Number),
    handlerMs: expect.any(Number),
    completionMs: expect.any(Number),
  })
  expect(JSON.stringify(lines)).not.toContain('the-key')
})

test('logs keys if asked to, and logs nothing once it is stopped', async () => {
  const stop = logDecisions(logger, { keys: true })
  const invoices = once({ store: memoryStore(), namespace: 'invoices' })
  await invoices.run({ scope: 's', key: 'the-key' }, () => 1)
  expect(lines[0]?.[1]).toMatchObject({ scope: 's', key: 'the-key' })
  stop()
  await invoices.run({ scope: 's', key: 'another' }, () => 1)
  expect(lines).toHaveLength(1)
})

// pino throws so once its transport has exited. Node ends the process with what a subscriber of a
// channel throws.
test('a logger that throws is told once, and ends neither the call nor the process', async () => {
  const warnings: string[] = []
  const uncaught: unknown[] = []
  const warned = ({ message }: Error): void => void warnings.push(message)
  const caught = (error: unknown): void => void uncaught.push(error)
  process.on('warning', warned)
  process.on('uncaughtException', caught)
  stops.push(() => process.off('warning', warned).off('uncaughtException', caught))
  const broken = (): never => {
    throw new Error('the worker has exited')
  }
  stops.push(logDecisions({ info: broken, warn: broken }))
  stops.push(logDecisions(logger))
  const invoices = once({ store: memoryStore(), namespace: 'invoices' })
  for (const key of ['a', 'b']) await invoices.run({ scope: 's', key }, () => 1)
  // Both are told in a later turn.
  await new Promise(setImmediate)
  expect(uncaught).toEqual([])
  expect(warnings).toEqual([expect.stringContaining('the worker has exited')])
  expect(lines).toHaveLength(2)
})

// Bugs: nobody handled the promise of a logger with async methods, and its rejection ended the
// process; then it was so only for promises of another realm, such as a test runner's sandbox.
test.each([
  ['a promise', async () => Promise.reject(new Error('the disk is full'))],
  ['a promise of another realm', runInNewContext("async () => { throw new Error('full') }")],
])('a logger that returns %s that rejects does not end the process either', async (_, broken) => {
  const unhandled: unknown[] = []
  const caught = (error: unknown): void => void unhandled.push(error)
  process.on('unhandledRejection', caught)
  stops.push(() => process.off('unhandledRejection', caught))
  stops.push(logDecisions({ info: broken, warn: broken }))
  const invoices = once({ store: memoryStore(), namespace: 'invoices' })
  await invoices.run({ scope: 's', key: 'a' }, () => 1)
  await new Promise(setImmediate)
  expect(unhandled).toEqual([])
})
