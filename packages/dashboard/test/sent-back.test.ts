import { type DeadLetterDetail, type DeadLetterSource, type Keys, memoryStore } from '@oncekey/core'
import { leaveUnknown } from '@oncekey/test-shop'
import { expect, test } from 'vitest'
import { actForm } from '../src/html/act-form.ts'
import { html } from '../src/html/html.ts'
import { choice, field } from '../src/html/parts.ts'
import { dashboard } from '../src/index.ts'

const DIRECTIONS = '\u202a\u05d3\u05e0\u05d4\u202c \u200f7\u2066x\u2069'

/** The fields of the form with this action as a browser sends them. */
function fieldsOf(page: string, action: string): URLSearchParams {
  const form = page.split('<form').find((each) => each.includes(`action="${action}"`)) ?? ''
  const fields = new URLSearchParams()
  const inputs = [
    ...form.matchAll(/<input [^>]*?name="(\w+)"(?: value="([^"]*)")?/g),
    ...form.matchAll(/<textarea name="(\w+)"[^>]*>([^<]*)<\/textarea>/g),
  ]
  for (const [, name = '', value = ''] of inputs) fields.set(name, unescaped(value))
  return fields
}

function unescaped(markup: string): string {
  const entities = { amp: '&', lt: '<', gt: '>', quot: '"' }
  return markup
    .replace(/&#(\d+);/g, (_, code) => String.fromCharCode(Number(code)))
    .replace(/&(amp|lt|gt|quot);/g, (_, name) => entities[name as keyof typeof entities])
}

/** Loads a page, fills in one of its forms, and sends it. */
async function sent(
  show: (request: Request) => Promise<Response>,
  path: string,
  action: string,
  filled: Readonly<Record<string, string>> = {},
): Promise<Response> {
  const page = await (await show(new Request(`https://shop.example/${path}`))).text()
  const body = fieldsOf(page, action)
  for (const [name, value] of Object.entries({ note: 'mended', confirmed: 'yes', ...filled })) {
    body.set(name, value)
  }
  const url = new URL(action, `https://shop.example/${path}`)
  return await show(new Request(url, { method: 'POST', body }))
}

// A bug: the form had `[U+202A]` in place of the character, and who mended a sum in the same letter
// had that delivered as a part of the customer's name.
test('an edit changes nothing that nobody has edited', async () => {
  const data = `{\t"name": "${DIRECTIONS} & <b>\u2028\u007f",\r\n "sum": 9007199254740993}`
  const replaced: string[] = []
  const source = {
    name: 'consumers',
    get: async () => letterWith(data),
    replace: async (_: string, edited: string) => {
      replaced.push(edited)
      return { outcome: 'replaced', id: '2', eventId: 'e' }
    },
  } as unknown as DeadLetterSource
  const show = dashboard({
    deadLetters: [source],
    authorize: () => ({ actor: 'maria', may: 'all' }),
  })
  const response = await sent(show, 'dead-letters/one?id=7', 'edit')
  expect(response.status).toBe(303)
  expect(JSON.parse(replaced[0] ?? '')).toEqual(JSON.parse(data))
  expect(replaced[0]).toContain('9007199254740993')
  // The person sees these characters, as escapes, wherever they are in the form.
  expect(replaced[0]).toContain('\\u202a')
  expect(replaced[0]).toMatch(/^\{\t"name"/)
})

function letterWith(data: string): DeadLetterDetail {
  return {
    id: '7',
    origin: 'mailer',
    state: 'dead',
    eventId: 'e',
    data,
    error: null,
    headers: {},
    history: [],
    occurredAt: new Date(0),
    firstFailedAt: new Date(0),
  } as unknown as DeadLetterDetail
}

// A bug: the hidden fields had the names as they are shown, so the act was on another key, which
// did not exist, and a redrive by a filter took nothing.
test('an act is on the key that the page shows, whatever its name has', async () => {
  const scope = `customer "7" ${DIRECTIONS}`
  const store = memoryStore({ mode: 'lease' })
  await leaveUnknown(store, `lost\u0001${DIRECTIONS}`, scope)
  const show = dashboard({ store, authorize: () => ({ actor: 'maria', may: 'all' }) })
  const name = { namespace: 'http', scope, key: `lost\u0001${DIRECTIONS}` }
  const response = await sent(show, `keys/one?${new URLSearchParams(name)}`, 'release')
  expect(response.headers.get('location')).toContain('result=done')
  expect(await (store.keys as Keys).get(name)).toBeUndefined()
})

test('what a form sends back is exact, and what is shown is not', () => {
  const shown = html`<b title="${DIRECTIONS}">${DIRECTIONS}</b>`.markup
  expect(shown).not.toMatch(/[\u200e\u200f\u202a-\u202e\u2066-\u2069]/)
  for (const { markup } of [
    field('subject', 'Subject', DIRECTIONS),
    choice('source', 'Of', DIRECTIONS, [DIRECTIONS]),
    html`<textarea name="body">${[DIRECTIONS]}</textarea>`,
  ]) {
    expect(markup).toContain(DIRECTIONS)
  }
  expect(html`<input value="${'"><script>\r'}">`.markup).toBe(
    '<input value="&quot;&gt;&lt;script&gt;&#13;">',
  )
})

// Browsers make each line end CRLF before they send it, and drop a NUL.
test.each(['a\nb', 'a\rb', 'a\0b', 'a\ud800b'])(
  'there is no form for what no form returns as it was: %j',
  (name) => {
    const of = { action: 'release', label: 'Release it', warning: '' }
    expect(actForm({ ...of, hidden: { key: name } }).markup).not.toContain('<form')
    expect(actForm({ ...of, hidden: { key: 'a\r\nb' } }).markup).toContain('<form')
  },
)
