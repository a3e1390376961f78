import { readFileSync } from 'node:fs'
import { parseSync } from 'oxc-parser'

/** A member of an interface, from its declaration and its docstring. */
export interface Member {
  readonly name: string
  readonly type: string
  readonly isOptional: boolean
  /** The docstring in one line, without its tags; empty if there is none. */
  readonly text: string
  /** The text of `@default`. */
  readonly byDefault: string | undefined
}

export interface InterfaceDocs {
  readonly text: string
  /** What it extends, as written. */
  readonly parents: readonly string[]
  readonly members: readonly Member[]
}

/** An interface of a file, or `undefined` if the file has none of that name. */
export function interfaceDocs(file: string, name: string): InterfaceDocs | undefined {
  const source = readFileSync(file, 'utf8')
  const { program, comments } = parseSync(file, source)
  const docAbove = (start: number): Doc => {
    const above = comments.findLast(({ end }) => end <= start)
    const isAdjacent = above !== undefined && source.slice(above.end, start).trim() === ''
    return isAdjacent && above.type === 'Block'
      ? docOf(above.value)
      : { text: '', byDefault: undefined }
  }
  for (const node of program.body) {
    const declared = node.type === 'ExportNamedDeclaration' ? node.declaration : node
    if (declared?.type !== 'TSInterfaceDeclaration' || declared.id.name !== name) continue
    return {
      text: docAbove(node.start).text,
      parents: declared.extends.map(({ start, end }) => oneLine(source.slice(start, end))),
      members: declared.body.body.flatMap((member) => {
        if (member.type !== 'TSPropertySignature' && member.type !== 'TSMethodSignature') return []
        const key = source.slice(member.key.start, member.key.end)
        const declaredAs = source.slice(member.key.end, member.end)
        return [
          {
            name: key.replaceAll("'", ''),
            isOptional: member.optional,
            type: oneLine(declaredAs.replace(/^\?/, '').replace(/^:\s*/, '')),
            ...docAbove(member.start),
          },
        ]
      }),
    }
  }
  return undefined
}

type Doc = Pick<Member, 'text' | 'byDefault'>

/**
 * The text of `@default` ends at the next tag. Other tags are left out: they are for readers of the
 * source.
 */
function docOf(comment: string): Doc {
  const text = oneLine(comment.replace(/^\s*\* ?/gm, ' ').replace(/^\*/, ''))
  const [sentences = '', ...tags] = text.split(/(?:^| )(?=@[a-z]+ )/)
  const byDefault = tags.find((tag) => tag.startsWith('@default '))?.slice('@default '.length)
  return { text: sentences.replace(/\{@link (\w+)\}/g, '`$1`'), byDefault }
}

const oneLine = (text: string): string => text.replace(/\s+/g, ' ').trim()
