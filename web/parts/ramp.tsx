// Which shade is which strength: the legend of a wash.
export function Ramp({ ramp = "a" }: { ramp?: "a" | "h" }) {
  return (
    <span className="ramp16" aria-hidden="true">
      {Array.from({ length: 16 }, (_, i) => (
        <i key={`${ramp}${i + 1}`} className={`${ramp}${i + 1}`} />
      ))}
    </span>
  );
}
