// The package has no types of its own.
declare module 'through' {
  export default function through(
    write?: (
      this: NodeJS.ReadWriteStream & { queue(chunk: unknown): void },
      chunk: unknown,
    ) => void,
  ): NodeJS.ReadWriteStream & { queue(chunk: unknown): void; destroy(): void }
}
