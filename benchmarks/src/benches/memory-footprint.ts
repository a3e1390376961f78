import type { Bench } from '../bench.ts'
import type { MemoryFiller } from '../programs/memory-filler.ts'

/** The memory that a record of the memory store takes in addition to its response. */
export const memoryFootprintBench: Bench = {
  name: 'memory-footprint',
  about: 'bytes that memoryStore takes for a record',

  async run({ memoryRecords }, programs) {
    const program = await programs.start<MemoryFiller>('memory-filler', ['--expose-gc'])
    const { bytes, responseBytes } = await program.call('fill', memoryRecords)
    await program.stop()
    const beyond = (bytes - responseBytes) / memoryRecords
    return {
      tables: [
        {
          title: `${memoryRecords.toLocaleString('en')} finished records, garbage collected`,
          columns: ['', 'bytes a record'],
          rows: [
            ['all of it', Math.round(bytes / memoryRecords)],
            [
              'the response: body, header names and values',
              Math.round(responseBytes / memoryRecords),
            ],
            ['beyond the response', Math.round(beyond)],
          ],
        },
      ],
      budgets: [
        {
          what: 'Memory store, bytes a record beyond the response',
          bound: 'at most',
          limit: 1024,
          measured: Math.round(beyond),
        },
      ],
      notes: [
        'Keys are UUIDs, scope and namespace are short. Beyond the response are the key, the fingerprint (50 characters) and the structures that hold them.',
      ],
    }
  },
}
