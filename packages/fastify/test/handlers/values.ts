import { bytes, type Table } from './answering.ts'

export const VALUES: Table = {
  'returns an object': async () => ({ id: 1, name: 'Käse ☕' }),
  'returns a string': async () => 'plain ☕',
  'returns a buffer': async () => bytes,
  'returns a typed array': async () => new Uint16Array([1, 2, 3]),
  'returns a part of a typed array': async () => new Uint8Array(bytes).subarray(1, 3),
  'returns an ArrayBuffer': async () => new ArrayBuffer(3),
  'returns a Blob': async () => new Blob(['blob']),
  'returns a number': async () => 42,
  'returns null': async () => null,
  'returns false': async () => false,
  'returns nothing': async () => {},
  'returns an empty string': async () => '',
  'returns an empty buffer': async () => Buffer.alloc(0),
  'returns an array': async () => [1, { two: 2 }],
  'returns a date': async () => new Date(0),
  'returns a bigint': async () => 1n,
  'returns a function': async () => () => 1,
  'returns a map': async () => new Map([['a', 1]]),
  'returns what has toJSON': async () => ({ toJSON: () => ({ id: 1 }) }),
  'sends undefined': async (_request, reply) => reply.code(202).send(undefined),
  'sends null': async (_request, reply) => reply.code(202).send(null),
  'sends null with a type': async (_request, reply) => reply.type('text/plain').send(null),
  'sends text of JSON': async (_request, reply) => reply.type('application/json').send('{"a":1}'),
  'sends an object of another JSON': async (_request, reply) =>
    reply.type('application/hal+json').send({ a: 1 }),
  'sends JSON of another charset': async (_request, reply) =>
    reply.type('application/json; charset=latin1').send({ a: 'ü' }),
  'is not async and returns': (() => ({ id: 1 })) as never,
  'echoes what came': async (request) => ({ got: request.body }),
}
