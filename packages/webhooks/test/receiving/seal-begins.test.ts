import type { AddressInfo } from 'node:net'
import { memoryStore, type SealKeys } from '@oncekey/core'
import { idempotency } from '@oncekey/express'
import { generateSecret, receiveWebhook, signWebhook } from '@oncekey/webhooks'
import express from 'express'
import { expect, onTestFinished, test } from 'vitest'

const secret = generateSecret()
const body = '{"type":"invoice.paid"}'
const keys = { k1: new Uint8Array(32).fill(1) }
const LISTED: SealKeys = { current: null, keys }
const SEALING: SealKeys = { current: 'k1', keys }

/** Receivers on one store, as processes of two releases are during a deploy. */
async function receivers(...seals: readonly (SealKeys | undefined)[]) {
  const store = memoryStore()
  let effects = 0
  const deliver = seals.map(async (seal) => {
    const options = { store, ...(seal && { seal }), ...receiveWebhook({ secrets: [secret] }) }
    const app = express()
    app.post('/', express.raw({ type: () => true }), idempotency(options), (_, res) => {
      effects += 1
      res.json({ effects })
    })
    const server = app.listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    onTestFinished(() => void server.close())
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    return async () => {
      const signed = signWebhook({ id: 'msg-1', body, secrets: [secret] })
      const headers = { 'content-type': 'application/json', ...signed }
      const { status } = await fetch(url, { method: 'POST', body, headers })
      return status
    }
  })
  return { deliver: await Promise.all(deliver), effects: () => effects }
}

test.each([
  ['begins, and the old one has received it', undefined, LISTED],
  ['begins, and the new one has received it', LISTED, undefined],
  ['is under way, and the old one has received it', LISTED, SEALING],
  ['is under way, and the new one has received it', SEALING, LISTED],
])('a webhook is received once while sealing %s', async (_, first, second) => {
  const { deliver, effects } = await receivers(first, second)
  const statuses: number[] = []
  for (const each of [...deliver, ...deliver]) statuses.push(await each())
  expect([statuses, effects()]).toEqual([[200, 200, 200, 200], 1])
})
