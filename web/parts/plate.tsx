// What frames a figure: one ink rule, its name, what is drawn, and a caption in sentences.
import type { ReactNode } from "react";

export function Plate({
  name,
  drawn,
  value,
  note,
  caption,
  className,
  children,
}: {
  name: ReactNode;
  /** Unit, scale, sample: what makes axis titles needless. */
  drawn?: ReactNode;
  value?: ReactNode;
  /** Beside the name: what a row or a colour stands for. */
  note?: ReactNode;
  caption?: ReactNode;
  className?: string;
  children?: ReactNode;
}) {
  return (
    <figure className={className ? `plate ${className}` : "plate"}>
      <header>
        <h2>{name}</h2>
        {note && <span className="note h-md">{note}</span>}
        {value !== undefined && <span className="v">{value}</span>}
        {drawn && <span className="r">{drawn}</span>}
      </header>
      {children}
      {caption && <figcaption>{caption}</figcaption>}
    </figure>
  );
}
