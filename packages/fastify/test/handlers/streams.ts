import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import { PassThrough, Readable, Stream } from 'node:stream'
import { createGzip } from 'node:zlib'
import FormData from 'form-data'
import through from 'through'
import { bytes, folder, sending, soon, type Table } from './answering.ts'

/** A stream as before `stream.Readable`: `pipe` and events only. */
function oldStream(parts: readonly string[], way?: 'close' | 'abort'): Stream {
  const stream = new Stream() as Stream & { readable: boolean; close?(): void; abort?(): void }
  stream.readable = true
  if (way !== undefined) stream[way] = () => {}
  setImmediate(() => {
    for (const part of parts) stream.emit('data', part)
    stream.emit('end')
    stream.emit('close')
  })
  return stream
}

function formData(): FormData {
  const form = new FormData()
  form.setBoundary('boundary')
  form.append('field', 'value')
  form.append('file', createReadStream(join(folder, 'file.txt')))
  return form
}

function throughOf(...parts: string[]) {
  const stream = through(function (chunk) {
    this.queue(`<${chunk}>`)
  })
  setImmediate(() => {
    for (const part of parts) stream.write(part)
    stream.end()
  })
  return stream
}

export const STREAMS: Table = {
  streams: sending(() => Readable.from(['a', 'b', 'ü'], { objectMode: false })),
  'streams text in object mode': sending(() => Readable.from(['a', 'b', 'ü'])),
  'streams no type': async () => Readable.from([bytes], { objectMode: false }),
  'streams nothing': async () => Readable.from([]),
  'streams over time': sending(() => {
    const stream = new PassThrough()
    stream.write('a')
    setTimeout(() => stream.end('b'), 5)
    return stream
  }),
  'streams with an encoding': sending(() => {
    const stream = Readable.from([Buffer.from('hö'), Buffer.from('h')], { objectMode: false })
    return stream.setEncoding('utf8')
  }),
  'streams a generator that ends its transform': sending(() => {
    const gzip = createGzip()
    gzip.end('zipped')
    return gzip
  }),
  'streams a file': sending(() => createReadStream(join(folder, 'file.txt'))),
  'streams what was paused': sending(() => Readable.from(['a', 'b']).pause()),
  'streams an old stream': sending(() => oldStream(['a', 'ü'])),
  'streams an old stream that closes': sending(() => oldStream(['a', 'ü'], 'close')),
  'streams an old stream that aborts': sending(() => oldStream(['a', 'ü'], 'abort')),
  'streams through': sending(() => throughOf('a', 'b')),
  'streams a form': sending(formData),
  'streams of the web': async () => new Blob(['web ☕']).stream(),
  'streams of the web, in pieces': sending(
    () =>
      new ReadableStream({
        async start(controller) {
          controller.enqueue(new TextEncoder().encode('a'))
          await soon()
          controller.enqueue(new TextEncoder().encode('b'))
          controller.close()
        },
      }),
  ),
  'streams of the web that are locked': async () => {
    const { body } = new Response('a')
    body?.getReader()
    return body
  },
  'answers a Response': async () =>
    new Response('of the web', {
      status: 203,
      headers: [
        ['x-a', '1'],
        ['set-cookie', 'a=1'],
        ['set-cookie', 'b=2'],
      ],
    }),
  'answers an empty Response': async () => new Response(null, { status: 201 }),
  'answers a Response of JSON': async () => Response.json({ id: 1 }, { status: 201 }),
  'answers a Response that redirects': async () => Response.redirect('http://x.example/', 303),
  'answers a Response that was read': async () => {
    const response = new Response('of the web')
    await response.text()
    return response
  },
  'answers a Response that is locked': async () => {
    const response = new Response('of the web')
    response.body?.getReader()
    return response
  },
  'sends a file': { only5: true, handler: async (_request, reply) => reply.sendFile('file.txt') },
  'sends a part of a file': {
    only5: true,
    handler: async (request, reply) => {
      request.raw.headers.range = 'bytes=1-3'
      return reply.sendFile('file.txt')
    },
  },
  'downloads a file': {
    only5: true,
    handler: async (_request, reply) => reply.download('file.txt', 'Datei ü.txt'),
  },
  'sends no file': { only5: true, handler: async (_request, reply) => reply.sendFile('no.txt') },
  'streams what does not exist': async () => createReadStream(join(folder, 'no-file.txt')),
  'streams what is destroyed': async () => {
    const stream = Readable.from(['a'])
    stream.destroy()
    return stream
  },
  'breaks before its first byte': async () =>
    new Readable({
      read() {
        this.destroy(Object.assign(new Error('source'), { statusCode: 502 }))
      },
    }),
  'streams what is not listened to': async () => ({ pipe() {} }),
}
