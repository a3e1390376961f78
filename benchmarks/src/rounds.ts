/**
 * Measures each entrant once a round, one after the other, so that other work on the machine
 * affects all of them. The order rotates and is mirrored from round to round, so that no entrant
 * always follows the same other one. The first round is a warm-up and does not count.
 */
export async function interleaved<Sample>(
  rounds: number,
  entrants: readonly (() => Promise<Sample>)[],
): Promise<Sample[][]> {
  const samples: Sample[][] = entrants.map(() => [])
  for (let round = 0; round <= rounds; round += 1) {
    for (const at of orderOf(round, entrants.length)) {
      const sample = await (entrants[at] as () => Promise<Sample>)()
      if (round > 0) samples[at]?.push(sample)
    }
  }
  return samples
}

function orderOf(round: number, count: number): number[] {
  const turned = Array.from({ length: count }, (_, at) => (at + (round >> 1)) % count)
  return round % 2 === 0 ? turned : turned.reverse()
}
