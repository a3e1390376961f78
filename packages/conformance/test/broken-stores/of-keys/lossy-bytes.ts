import { brokenStore } from '../broken-store.ts'

/** hono-idempotency: bodies went through text, and 25ff00fe came back as 25efbfbd00efbfbd. */
export const lossyBytes = brokenStore({
  fault: 'keeps a body as text',
  steps: () => ({
    encode: ({ body, ...response }) =>
      structuredClone({ ...response, body: body && encoder.encode(decoder.decode(body)) }),
  }),
  caughtBy: [
    'byte-exact responses: replays a body of bytes that are not UTF-8',
    'byte-exact responses: replays a body of every byte there is',
    'byte-exact responses: replays a body of 1 MiB',
  ],
})

const encoder = new TextEncoder()
const decoder = new TextDecoder()
