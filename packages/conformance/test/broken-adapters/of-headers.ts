import { gunzipSync } from 'node:zlib'
import type { PlainResponse } from '@oncekey/core'
import { type BrokenAdapter, withHeader } from './broken-adapter.ts'
import { rightSteps } from './steps.ts'

/** Adapters that change headers, or a body against what its headers say. */
export const brokenHeaders: readonly BrokenAdapter[] = [
  {
    fault: 'repeats a coded body to whoever asks',
    steps: () => ({ request: (request) => withHeader(request, 'accept-encoding', []) }),
    caughtBy: [
      /^a coded body: .* is decoded for/,
      'a coded body: that is streamed',
      'a coded body: is decoded only for',
      'a coded body: keeps an existing `Vary` when it is decoded',
    ],
  },
  {
    fault: 'keeps a coded body decoded, and gives up where it cannot',
    steps: () => ({ kept: decodedResponse }),
    caughtBy: [
      /^a coded body: in (x-)?gzip is repeated/,
      /^a coded body: that cannot be decoded .*: gzip/,
      /^a coded body: may be empty/,
      'a coded body: is repeated unchanged to a client that accepts neither its coding nor identity',
      'a coded body: is decoded only',
      'a coded body: is limited by its coded size, and stays coded if it is too large decoded',
    ],
  },
  {
    fault: 'sends no content coding that it knows nothing of',
    steps: () => ({
      sent: (headers) => headers.filter(([, value]) => !/own|,|br|deflate|identity/.test(value)),
    }),
    caughtBy: [
      /^a coded body: in (br|deflate).* is repeated/,
      /^a coded body: that cannot be decoded .*: (a coding|a list|br|the coding)/,
    ],
  },
  {
    fault: 'has nothing of a response redacted',
    steps: () => ({ options: ({ redact: _, ...options }) => options }),
    caughtBy: ['a coded body: is passed to `redact` decoded, and stored so'],
  },
  {
    fault: 'hands on what a handler says of the message',
    steps: () => ({ sent: (headers) => headers }),
    caughtBy: [
      /^the framing of an answer: of .* is one, whatever content-length/,
      /^the framing of an answer: of (JSON|bytes|a stream) is one, whatever transfer-encoding/,
      'the framing of an answer: has no',
      'the framing of an answer: of a 204',
      'the framing of an answer: of a 304',
    ],
  },
  {
    fault: 'keeps a connection that was to be closed',
    steps: () => ({
      sent: (...given) => rightSteps.sent(...given).filter(([name]) => name !== 'connection'),
    }),
    caughtBy: ['the framing of an answer: closes the connection'],
  },
  {
    fault: 'closes the connection after a replay, too',
    steps: () => ({
      answer: (response, kind) =>
        kind === 'replay'
          ? { ...response, headers: [...response.headers, ['connection', 'close']] }
          : response,
    }),
    caughtBy: ['the framing of an answer: closes the connection'],
  },
  {
    fault: 'sends a coding of transfer beside a length',
    steps: () => ({
      end({ res }, body) {
        res.setHeader('transfer-encoding', 'chunked')
        res.setHeader('content-length', body.length)
        res.end(body)
      },
    }),
    caughtBy: [/^the framing of an answer: of .* is one/],
  },
  {
    fault: 'tells the length of what it sends in answer to HEAD',
    steps: () => ({
      answer: (response) => ({
        ...response,
        headers: [...response.headers, ['content-length', '0']],
        body: new Uint8Array(),
      }),
    }),
    caughtBy: ['the framing of an answer: of a HEAD'],
  },
  {
    fault: 'takes an empty header for none',
    steps: () => ({
      kept: ({ headers, ...response }) => ({
        ...response,
        headers: headers.filter(([, value]) => value !== ''),
      }),
    }),
    caughtBy: ['the headers of a replay: may be empty'],
  },
  {
    fault: 'sends the head of a replay as UTF-8',
    steps: () => ({
      answer: ({ headers, ...response }) => ({
        ...response,
        headers: headers.map(([name, value]) => [
          name,
          value && Buffer.from(value).toString('latin1'),
        ]),
      }),
    }),
    caughtBy: ['the headers of a replay: have the bytes'],
  },
]

/**
 * An earlier fault of adapters: they stored the bytes before compression, for clients that accept
 * another coding.
 */
function decodedResponse(response: PlainResponse): PlainResponse {
  const coding = response.headers.find(([name]) => name === 'content-encoding')?.[1]
  if (coding === undefined) return response
  const headers = response.headers.filter(([name]) => name !== 'content-encoding')
  // Throws for everything that is not gzip, including no bytes.
  return { ...response, headers, body: gunzipSync(response.body) }
}
