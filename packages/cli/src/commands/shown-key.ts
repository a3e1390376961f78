import type { KeyState, KeySummary } from '@oncekey/core'
import { jsonValue } from '../output/json.ts'
import { type Page, shownDuration } from '../output/page.ts'
import type { ShownKey } from '../remote/keys.ts'

/** A row of a list of keys. */
export function keyRow(summary: KeySummary): unknown[] {
  const { state, status, attempt, completedAt, namespace, scope, key } = summary
  return [state, status, completedAt ?? attempt?.claimedAt, namespace, scope, key]
}

export function showKey(page: Page, key: ShownKey, withBody: boolean): void {
  const { attempt, response } = key
  page.fields([
    ['key', key.key],
    ['scope', key.scope === '' ? '(shared)' : key.scope],
    ['namespace', key.namespace],
    ['state', key.state],
    ['means', MEANS[key.state]],
    ['fingerprint', key.fingerprint],
    ['attempt', attempt?.number],
    ['first claimed', attempt?.claimedAt],
    [key.state === 'unknown' ? 'unknown since' : 'lease until', attempt?.leaseUntil],
    ['completed', key.completedAt],
    ['age', key.completedAt && shownDuration(Date.now() - key.completedAt.getTime())],
    ['status', key.status],
    ['sealed with', response?.seal],
    ['body', response && `${response.bodyBytes} bytes`],
  ])
  if (response === null) return
  if (response.headers.length > 0) {
    page.blank()
    page.title('Headers')
    page.fields(response.headers.map(([name, value]) => [name, value ?? '(removed)']))
  }
  if (withBody && response.body !== null) {
    page.blank()
    page.title('Body')
    page.block(textOf(response.body) ?? `(not text) ${Buffer.from(response.body).toString('hex')}`)
  } else if (withBody && key.noBody !== undefined) {
    page.blank()
    page.title('Body')
    page.line`${NO_BODY[key.noBody]}`
  }
}

const NO_BODY: Readonly<Record<NonNullable<ShownKey['noBody']>, string>> = {
  sealed: 'It is sealed, and the dashboard does not open it.',
  'not-kept': 'It is not kept.',
  'not-text': 'It is no text, and the dashboard does not send it: name the database.',
}

const MEANS: Readonly<Record<KeyState, string>> = {
  running: 'an attempt owns the key',
  unknown: 'an attempt ended without saying how; a person decides: keys release or keys answer',
  finished: 'a retry gets the stored response',
  'result-gone': 'done, and the response is not kept: a retry gets 410',
}

/** A key as a JSON document. The body is in base64, and also as text or JSON if it is that. */
export function documentOf({ response, ...key }: ShownKey): unknown {
  if (response === null || response.body === null) return { ...key, response }
  const text = textOf(response.body)
  return {
    ...key,
    response: { ...response, ...(text !== undefined && { text, json: jsonIn(text) }) },
  }
}

function jsonIn(text: string): unknown {
  const value = jsonValue(text)
  return typeof value === 'string' ? undefined : value
}

function textOf(body: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body)
  } catch {
    return undefined
  }
}
