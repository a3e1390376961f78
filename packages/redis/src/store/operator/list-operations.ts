import { bytesIn, listIn, type Script, script, textIn } from '../../client/script.ts'
import { listOperationsLua } from './lua.ts'

/** Entries of one partition's audit, the newest first. */
export const listOperationsScript: Script<ListOperations, readonly StreamEntry[]> = script({
  name: 'list-operations',
  text: listOperationsLua,
  keys: ({ stream }) => [stream],
  args: ({ from, to, count }) => [from, to, count],
  reply: (raw) =>
    listIn(raw).map((entry) => {
      const [id, fields] = listIn(entry)
      const texts = listIn(fields).map((field) => bytesIn(field).toString())
      const pairs = texts.flatMap((name, at) => (at % 2 === 0 ? [[name, texts[at + 1]]] : []))
      return { id: textIn(id), fields: Object.fromEntries(pairs) }
    }),
})

export interface ListOperations {
  readonly stream: string
  readonly from: string
  readonly to: string
  readonly count: number
}

export interface StreamEntry {
  readonly id: string
  readonly fields: Readonly<Record<string, string>>
}
