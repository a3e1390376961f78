import { brokenStore } from '../broken-store.ts'

/** @node-idempotency, idempot-js: bytes came back as {"0":123,"1":34}, and JSON was reformatted. */
export const jsonBody = brokenStore({
  fault: 'keeps a body as JSON',
  steps: () => ({
    encode({ body, ...response }) {
      const text = new TextDecoder().decode(body ?? undefined)
      return structuredClone({ ...response, body: body && encoder.encode(respelled(text)) })
    },
  }),
  caughtBy: ['byte-exact responses: replays a body of JSON, its spaces included'],
})

const encoder = new TextEncoder()

function respelled(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text))
  } catch {
    return text
  }
}
