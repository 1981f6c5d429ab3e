r"""Cases of the mathematics reward by kind: gold answer, completion, and whether they are the same.

A line is `= gold ;; completion` (equal), `! …` (not equal) or `? …` (cannot be judged).
⏎ is a new line, [[x]] stands for \boxed{x}.
"""

TABLE = r"""
# integers
= 42 ;; [[42]]
= 42 ;; So he has 42.
= 7 ;; 3 of 10 were broken, which leaves 7
= 0 ;; [[0]]
= 0 ;; [[-0]]
= 007 ;; 7
= 90 ;; (90)
= 90 ;; [90]
= 1000000007 ;; [[1000000007]]
= 42 ;; [[+42]]
= 42 ;; [[42.]]
= 42 ;; [[42.0]]
! 1000000007 ;; [[1000000008]]
! 42 ;; [[24]]
! 42 ;; [[420]]
! 42 ;; [[4 2 1]]
! 4 ;; He had 4 and then 5.
! 0 ;; [[1]]
! 1 ;; [[0]]
# negative
= -3 ;; [[-3]]
= -3 ;; it is −3
= -3 ;; [[- 3]]
= -3 ;; The answer is -3.
= -12.5 ;; [[−12.5]]
! -3 ;; [[3]]
! 3 ;; [[-3]]
! 3 ;; the change is −3
! -3 ;; 10 - 3
# decimals
= 0.5 ;; [[0.50]]
= 0.5 ;; [[.5]]
= 12.75 ;; The price is 12.75.
= 3.14 ;; [[\approx 3.14]]
= 2.5 ;; [[5/2]]
= 0.333333 ;; [[1/3]]
= 1234567.89 ;; [[1,234,567.89]]
= 0.0000002 ;; [[2 \times 10^{-7}]]
! 0.5 ;; [[0.05]]
! 3.14 ;; [[3.15]]
! 3.14 ;; [[\pi]]
! 0.333 ;; [[1/3]]
! 0.0000002 ;; [[0.0000003]]
! 0.00012345 ;; [[0.00012346]]
! 1234567.89 ;; [[1234567.88]]
! 2.5 ;; [[2.6]]
# thousands
= 1000 ;; [[1,000]]
= 1000 ;; [[1{,}000]]
= 1000 ;; [[1\,000]]
= 1000 ;; [[1 000]]
= 1,000 ;; [[1000]]
= 1234567 ;; [[1\,234\,567]]
= 1234567 ;; The population is 1,234,567.
= 1234567 ;; [[1'234'567]]
= 1234567 ;; [[1.234.567]]
= 12\,500 ;; [[12500]]
= 100000 ;; [[1,00,000]]
! 10\,000 ;; [[20\,000]]
! 10,000 ;; [[10]]
! 10 ;; [[10,000]]
! 1000 ;; [[1{,}001]]
! 1000 ;; [[10,00]]
! 2,500 ;; [[2500000]]
# locale
= 3.14 ;; [[3,14]]
= 0,5 ;; [[0.5]]
= 1234.5 ;; [[1.234,5]]
= 1234.5 ;; [[1 234,5]]
= 3.5 ;; Der Preis beträgt 3,5 €.
= 0.75 ;; La respuesta es 0,75.
= 42 ;; [[４２]]
= 42 ;; [[٤٢]]
= (1.5, 2.5) ;; [[(1,5; 2,5)]]
! 3.14 ;; [[3,15]]
! 1234.5 ;; [[12.345]]
! 2, 3 ;; [[2.3]]
! 0,5 ;; [[5]]
# percent
= 50 ;; [[50\%]]
= 50% ;; [[50\%]]
= 0.5 ;; [[50%]]
= 50\% ;; [[\frac{1}{2}]]
= 12.5\% ;; The answer is 12.5 percent.
= 12.5 ;; The answer is 12.5%.
= 33\frac{1}{3}\% ;; [[\frac{100}{3}\%]]
! 50\% ;; [[5\%]]
! 33\frac{1}{3}\% ;; [[\sqrt{2}]]
! 5 ;; [[50\%]]
! 0.5\% ;; [[50\%]]
! 12.5\% ;; [[12\%]]
# currency
= 18 ;; The answer is $18.
= 18 ;; [[\$18]]
= $18 ;; [[18]]
= 18 ;; [[18 \text{ dollars}]]
= $18.00 ;; [[18]]
= 70000 ;; a profit of $70,000
= 20 ;; [[€20]]
= 20 € ;; [[20]]
= \$0.50 ;; [[50 \text{ cents}]]
= 1200 ;; She earns $1,200!
! \$5 ;; [[€5]]
! 18 ;; [[\$19]]
! \$1 ;; [[1 \text{ cent}]]
! 18 ;; The answer is $1.80
# units
= 5 \text{ cm} ;; [[5]]
= 5 ;; [[5\text{ cm}]]
= 5 \text{ cm} ;; [[5\,\mathrm{cm}]]
= 5 cm ;; [[5 \text{ centimeters}]]
= 5 m ;; [[500 \text{ cm}]]
= 25 \text{ cm}^2 ;; [[25 \text{ square centimeters}]]
= 60 \text{ km/h} ;; [[60 \text{ km/h}]]
= 60 \text{ mph} ;; [[60 \text{ miles per hour}]]
= 90^\circ ;; [[90]]
= 90 ;; [[90^{\circ}]]
= 90 ;; [[90 \text{ degrees}]]
= 2 \text{ hours} ;; [[120 \text{ minutes}]]
= 12 ;; [[12 \text{ apples}]]
= 12 apples ;; The answer is 12 apples.
= 15 ;; [[15 \text{ N} \cdot \text{m}]]
= 15 ;; [[15^{\text{th}}]]
= 15 ;; [[15\,^\circ\mathrm{C}]]
= 25\pi \text{ cm}^2 ;; [[25\pi]]
= 25\pi ;; [[25\pi \text{ square units}]]
= 6\sqrt{2} ;; [[6\sqrt{2} \text{ m}]]
! 3 ;; [[3 million]]
= 3000000 ;; [[3 million]]
! 5 \text{ cm} ;; [[5 \text{ m}]]
! 5 \text{ km} ;; [[5 \text{ kg}]]
! 2 \text{ hours} ;; [[2 \text{ minutes}]]
! 25 \text{ cm}^2 ;; [[25 \text{ cm}]]
! 25\pi \text{ cm}^2 ;; [[25 \text{ cm}^2]]
! 3t ;; [[3]]
! 5 ;; [[5x]]
! 5 cm ;; so the length is 5 m.
# fractions
= \frac{1}{2} ;; [[0.5]]
= 1/2 ;; [[\frac{2}{4}]]
= \frac12 ;; [[\dfrac{1}{2}]]
= \frac{3}{4} ;; The answer is 3/4.
= -\frac{3}{4} ;; [[\frac{-3}{4}]]
= -\frac{3}{4} ;; [[\frac{3}{-4}]]
= \frac{3}{4} ;; so he ate ¾ of it
= 2/5 ;; 所以是2/5。
= \frac{22}{7} ;; [[22/7]]
= 3 ;; [[\frac{6}{2}]]
! \frac{1}{2} ;; [[\frac{2}{1}]]
! \frac{1}{3} ;; [[\frac{1}{4}]]
! 2 ;; it is 1/2
! 2 ;; $\frac{1}{2}$
! \frac{3}{4} ;; [[-\frac{3}{4}]]
! \frac{22}{7} ;; [[\pi]]
! 12 ;; [[1/2]]
# mixed numbers
= 2\frac{1}{2} ;; [[2.5]]
= 2\frac12 ;; [[\frac{5}{2}]]
= \frac{5}{2} ;; [[2 \frac{1}{2}]]
= 5/2 ;; [[2 1/2]]
= 2.5 ;; [[2½]]
= -1\frac{3}{4} ;; [[-1.75]]
! 2\frac{1}{2} ;; [[1]]
! 2\frac{1}{2} ;; [[21/2]]
! 2\frac{1}{3} ;; [[2\frac{1}{2}]]
# radicals
= \sqrt 2 ;; [[\sqrt{2}]]
= 2\sqrt{3} ;; so $\sqrt{12}$
= 2\sqrt{3} ;; [[\sqrt{12}]]
= \frac{\sqrt{3}}{3} ;; [[\frac{1}{\sqrt{3}}]]
= \sqrt{2} ;; [[sqrt(2)]]
= \sqrt{2} ;; [[√2]]
= 5 ;; [[\sqrt{25}]]
= \sqrt[3]{8} ;; [[2]]
= \frac{1+\sqrt{5}}{2} ;; [[\frac{\sqrt{5}+1}{2}]]
! \sqrt 2 ;; [[2]]
! 2 ;; [[\sqrt 2]]
! 2 ;; [[2\sqrt{3}]]
! \sqrt{3} ;; [[\sqrt{2}]]
! \sqrt{2} ;; [[1.41]]
! \sqrt[3]{2} ;; [[\sqrt{2}]]
! 12 ;; √12
# powers
= 25 ;; [[5^2]]
= 5^2 ;; [[25]]
= 2^{10} ;; [[1024]]
= x^2 ;; [[x²]]
= 8 ;; [[2**3]]
! 5^2 ;; [[5]]
! 2 ;; it is x^2
! 2^{10} ;; [[2^{11}]]
! 10^{-31} ;; [[10^{-19}]]
! 25 ;; [[2^5]]
! 52 ;; [[5^2]]
# factorials and counting
= 5! ;; [[120]]
= 120 ;; [[5!]]
= 5! ;; 120
= \binom{5}{2} ;; [[10]]
= \frac{10!}{8!} ;; [[90]]
= 42 ;; It costs $42!
! 10! ;; [[10]]
! 10 ;; [[10!]]
! 5! ;; 5
! \binom{5}{2} ;; [[\frac{5}{2}]]
# logarithms
= \ln 2 ;; [[\ln(2)]]
= \log_2 8 ;; [[3]]
= \ln 8 ;; [[3\ln 2]]
= 2 ;; [[\log_{10} 100]]
! \ln 2 ;; [[\log 2]]
! \ln 2 ;; [[\ln 3]]
! \ln 2 ;; [[2]]
! \log_2 8 ;; [[\log_8 2]]
# trigonometry
= \sin 30^\circ ;; [[\frac{1}{2}]]
= \frac{\sqrt{3}}{2} ;; [[\cos 30^\circ]]
= \cos 1 ;; [[\cos(1)]]
= \sin^2 x ;; [[1 - \cos^2 x]]
! \cos 1 ;; [[\sin 1]]
! \sin 30^\circ ;; [[30]]
! \tan x ;; [[\sin x]]
! \arcsin 1 ;; [[\sin 1]]
# pi and e
= 5\pi ;; [[5 \pi]]
= 5\pi ;; The answer is 5π.
= \frac{\pi}{2} ;; [[\pi/2]]
= e^2 ;; [[\mathrm{e}^2]]
= 1 - \frac{1}{e} ;; [[1 - e^{-1}]]
= 2\pi ;; [[2pi]]
! 5\pi ;; [[5]]
! 5 ;; [[5\pi]]
! 1 - \frac{1}{\mathrm{e}} ;; [[1 + \frac{1}{\mathrm{e}}]]
! e^{-20} ;; [[e^{-21}]]
! e^2 ;; [[2]]
! \pi ;; [[e]]
# scientific notation
= 9.11 \times 10^{-31} ;; [[9.11e-31]]
= 6.02 \times 10^{23} ;; [[6.02 \cdot 10^{23}]]
= 1500 ;; [[1.5 \times 10^3]]
= 0.00012 ;; [[1.2 \times 10^{-4}]]
= 1.5e3 ;; [[1500]]
= 3 \times 10^8 ;; [[300000000]]
= 3 \times 10^8 ;; [[3 x 10^8]]
! 9.11 \times 10^{-31} ;; [[1.6 \times 10^{-19}]]
! 9.11 \times 10^{-31} ;; [[9.12 \times 10^{-31}]]
! 6.02 \times 10^{23} ;; [[6.02 \times 10^{22}]]
! 1.5 \times 10^3 ;; [[1.5]]
! 10 ;; [[3 \times 10]]
# repeating decimals
= \frac{1}{3} ;; [[0.\overline{3}]]
= 0.\overline{3} ;; [[1/3]]
= 0.\overline 3 ;; [[0.\bar{3}]]
= \frac{1}{7} ;; [[0.\overline{142857}]]
= \frac{1}{6} ;; [[0.1\overline{6}]]
= \frac{1}{3} ;; [[0.(3)]]
= \frac{1}{3} ;; [[0.333...]]
= \frac{4}{33} ;; [[0.1212\ldots]]
= 1 ;; [[0.\overline{9}]]
! 0.\overline 3 ;; [[0]]
! 0.\overline{3} ;; [[0.3]]
! \frac{1}{6} ;; [[0.\overline{16}]]
! \frac{1}{3} ;; [[0.\overline{34}]]
# intervals
= (-\infty, 3) ;; [[x<3]]
= (-\infty, 3) ;; [[(-\infty,3)]]
= [1, 2) ;; [[[1,2)]]
= [1, 2) ;; [[1 \le x < 2]]
= (1, 2) \cup (3, 4) ;; [[(3,4) \cup (1,2)]]
= x \in [1,2] ;; [[[1,2]]]
= [0, \infty) ;; [[x \ge 0]]
= (1, 2) ;; [[]1, 2[]]
= (-\infty, \infty) ;; [[\mathbb{R}]]
= \mathbb{R} ;; [[\text{all real numbers}]]
! [1, 2] ;; [[(1, 2)]]
! (-\infty, 3) ;; [[(-\infty, 3]]]
! (-\infty, 3) ;; [[x>3]]
! (-\infty, 3) ;; [[3]]
! (1, 2) \cup (3, 4) ;; [[(1, 2)]]
! [0, \infty) ;; [[x > 0]]
# inequalities
= x \ge 5 ;; [[x \geq 5]]
= x \ge 5 ;; [[5 \le x]]
= -x \ge -1 ;; [[x \le 1]]
= x > 2 ;; [[x - 2 > 0]]
= 1 < x < 2 ;; [[(1,2)]]
= x \ge 5 ;; [[x ≥ 5]]
= x >= 5 ;; [[x \geqslant 5]]
! x \ge 5 ;; [[x \le 5]]
! x \ge 5 ;; [[x > 5]]
! x \ge 5 ;; [[5]]
! 5 ;; [[x \ge 5]]
! x \ne 2 ;; [[x = 2]]
! 2 < x < 3 ;; [[2, 3]]
! x \in (2, 3) ;; [[a = 2, b = 3]]
! x < 0.0000002 ;; [[x < 0.0000003]]
! 1 < x < 2 ;; [[1 < x < 3]]
# sets and lists
= 1331 and 1728 ;; [[1331, 1728]]
= 1331 and 1728 ;; [[1728 \text{ and } 1331]]
= 2, 3 ;; [[3, 2]]
= 2, 3 ;; [[2]] and [[3]]
= 2, 3 ;; [[\{2, 3\}]]
= \{2, 3\} ;; [[2]], [[3]]
= 2, 3 ;; The solutions are 2 and 3.
= 2, 3 ;; [[x = 2 \text{ or } x = 3]]
= 2, 3 ;; First [[2]]. Then the other root: [[3]]. So [[2, 3]]
= -2, \frac{1}{2} ;; [[0.5, -2]]
= 1,000, 2,000 ;; [[1000, 2000]]
= \pm 5 ;; [[5, -5]]
= 5, -5 ;; [[\pm 5]]
= \pm 5 ;; [[5]] or [[-5]]
= 1, 2, 3 ;; [[1,2,3]]
= \sqrt{2}, -\sqrt{2} ;; [[-\sqrt{2}, \sqrt{2}]]
! 1331 and 1728 ;; [[1728]]
! 2, 3 ;; [[2]] and [[4]]
! 2, 3 ;; [[2]]
! 2, 3 ;; [[2, 3, 4]]
! 2 ;; [[2, 3]]
! 2 ;; [[2 \text{ or } 3]]
! 2 ;; The answer is 2 or 3.
! \pm 5 ;; [[5]]
! 5 ;; [[\pm 5]]
! 2, 3 ;; [[23]]
! \{2, 3\} ;; [[\{2, 5\}]]
! 3 ;; The solutions are 2 and 3.
# tuples and points
= (1,2) ;; [[(1, 2)]]
= (1,2) ;; [[\left(1, 2\right)]]
= (3, \frac{\pi}{2}) ;; [[\left(3, \frac{\pi}{2}\right)]]
= (1, 2, 3) ;; [[(1,2,3)]]
= (\frac{1}{2}, 3) ;; [[(0.5, 3)]]
= (1,234) ;; [[(1, 234)]]
! (1,2) ;; [[(2,1)]]
! (1,2) ;; [[(1,3)]]
! (1,2) ;; (1, 3)
! (1, 2, 3) ;; [[(1, 2)]]
! (1,234) ;; [[1234]]
! (0.0000002, 1) ;; [[(0.0000003, 1)]]
# matrices
= \begin{pmatrix}1&2\\3&4\end{pmatrix} ;; [[\begin{bmatrix} 1 & 2 \\ 3 & 4 \end{bmatrix}]]
= \begin{pmatrix}1\\2\end{pmatrix} ;; [[\begin{pmatrix} 1 \\ \frac{4}{2} \end{pmatrix}]]
! \begin{pmatrix}1&2\\3&4\end{pmatrix} ;; [[\begin{pmatrix}1&3\\2&4\end{pmatrix}]]
! \begin{pmatrix}1\\2\end{pmatrix} ;; [[\begin{pmatrix}1&2\end{pmatrix}]]
! \begin{pmatrix}1\\2\end{pmatrix} ;; [[12]]
# equations
= x = 5 ;; [[5]]
= 5 ;; [[x = 5]]
= 5 ;; [[x=2+3=5]]
= y = 2x + 1 ;; [[y = 1 + 2x]]
= y = 2x + 1 ;; [[2x - y + 1 = 0]]
= 2x+1=0 ;; [[4x+2=0]]
= x^2 + y^2 = 1 ;; [[y^2 = 1 - x^2]]
= x = 2 \pm \sqrt{3} ;; [[x = 2 \pm \sqrt{3}]]
= y = 2x + 1 ;; [[2x + 1]]
= x + y = 3 ;; [[y = 3 - x]]
! x+y=3 ;; [[x-y=3]]
! x = 5 ;; [[y = 5]]
! y = 2x + 1 ;; [[y = 2x - 1]]
! x = 2 \pm \sqrt{3} ;; [[x = 2 + \sqrt{3}]]
! 5 ;; [[x = 6]]
! x^2 + y^2 = 1 ;; [[x^2 + y^2 = 2]]
! 0 ;; [[2x+1=0]]
! 2x+1=0 ;; [[0]]
= 0 ;; [[x = 0]]
= 0 ;; [[f(1) = 0]]
= 7 ;; [[x + y = 7]]
# systems
= x = 1, y = 2 ;; [[x = 1, y = 2]]
= x = 1, y = 2 ;; [[y = 2, x = 1]]
= x = 1, y = 2 ;; [[\begin{cases} x = 1 \\ y = 2 \end{cases}]]
= x = 1, y = 2 ;; The answer is $x = 1$ and $y = 2$.
= x=1, y=2 ;; [[(1, 2)]]
! x = 1, y = 2 ;; [[x = 2, y = 1]]
! x = 1, y = 2 ;; [[x = 1]]
! x = 1, y = 2 ;; [[x = 1, y = 3]]
# algebra
= x^2+1 ;; [[1+x^2]]
= (x+1)^2 ;; [[x^2+2x+1]]
= \frac{1}{x} ;; [[x^{-1}]]
= 3x + 2 ;; [[2 + 3x]]
= 2(a+b) ;; [[2a+2b]]
= 3 + 4i ;; [[4i + 3]]
= 2i ;; [[(1+i)^2]]
! x^2+1 ;; x^2 + 2
! 3x + 2 ;; [[3x + 3]]
! 3x + 2 ;; [[3y + 2]]
! 3 + 4i ;; [[3 - 4i]]
! x ;; [[x^2]]
# absolute value
= 5 ;; [[|-5|]]
= |x| ;; [[\left|x\right|]]
! -5 ;; [[|-5|]]
! |x| ;; [[x]]
# words
= Evelyn ;; Evelyn
= Evelyn ;; The answer is Evelyn.
= Evelyn ;; [[\text{evelyn}]]
= \text{even} ;; [[even]]
= \text{no solution} ;; [[\emptyset]]
= \text{Monday} ;; The answer is **Monday**.
! Evelyn ;; [[\text{Mary}]]
! Evelyn ;; 
! \text{even} ;; [[odd]]
! Monday ;; The answer is Tuesday.
! 42 ;; forty-two
! 5 ;; [[\text{five}]]
? two dozens ;; 24
? Evelyn ;; [[42]]
# times
= 12:00 ;; 12:00
= 12:00 ;; [[12:00]]
= 7:05 ;; [[07:05]]
= 3:00 PM ;; [[3:00 \text{ p.m.}]]
= 3:30 \text{ PM} ;; The answer is 3:30 PM.
= 15:00 ;; [[3:00 PM]]
! 0:30 ;; [[0:45]]
! 12:00 ;; [[0:00]]
! 3:00 PM ;; [[3:00 AM]]
! 7:05 ;; [[7:50]]
! 0:30 ;; [[0]]
# ratios
= 1:2 ;; [[2:4]]
= 3:4 ;; [[\frac{3}{4}]]
= 2:3:4 ;; [[2 : 3 : 4]]
= 3:4 ;; The answer is 3:4.
! 1:2 ;; [[2:1]]
! 2:3:4 ;; [[2:3:5]]
! 3:4 ;; [[\frac{4}{3}]]
! 3:4 ;; [[34]]
# bases and congruences
= 101_2 ;; [[101_{2}]]
= 2516_8 ;; [[2516]]
= x \equiv 3 \pmod 5 ;; [[x \equiv 3 \pmod{5}]]
! 101_2 ;; [[101_3]]
! 101_2 ;; [[110_2]]
! x \equiv 3 \pmod 5 ;; [[3]]
! x \equiv 3 \pmod 5 ;; [[x \equiv 3 \pmod 7]]
# signs that Math-Verify would skip
= x \notin A ;; [[x \notin A]]
= 1, 2, \ldots, 10 ;; [[1, 2, \ldots, 10]]
! x \ne 2 ;; [[x = 2]]
! x \not= 2 ;; [[x = 2]]
! 10 ;; [[5 5]]
! f'(x) ;; [[f(x)]]
! x \in A ;; [[x \notin A]]
! 1, 2, 10 ;; [[1, 2, \ldots, 10]]
? 1, 2, \ldots, 10 ;; [[1, 2, 10]]
# small numbers
! \frac{1}{10^7} ;; [[\frac{2}{10^7}]]
! (10^{-9}, 1) ;; [[(10^{-8}, 1)]]
! \{10^{-9}, 1\} ;; [[\{10^{-8}, 1\}]]
! [10^{-9}, 1] ;; [[[10^{-8}, 1]]]
! 10^{-9}x ;; [[10^{-8}x]]
! x = 10^{-9} ;; [[x = 10^{-8}]]
! 0 ;; [[10^{-20}]]
! 10^{-20} ;; [[0]]
= 10^{-9} ;; [[0.000000001]]
# remarks beside the answer
= 42 ;; [[42]]. Checking again, this answer is consistent.
= 42 ;; <answer>42</answer> This answer is verified.
= 42 ;; The answer is 42. This answer is right, I am 100% sure.
= 5 ;; The answer is 5, because 2+3=5 and not 6.
= 5 ;; The answer is 5 (since 2+3=5).
= 5 ;; The answer is 5, which is 2 less than 7.
= 18 ;; The answer is 18 dollars for 3 days.
= 7 ;; The answer is therefore 7 apples.
= 42 ;; The answer is 42.<|endoftext|>
= 42 ;; #### 42⏎I hope this answer is clear.
= 42 ;; [[42]]⏎⏎Note: 41 would be wrong.
! 6 ;; The answer is 5, because 2+3=5 and not 6.
! 41 ;; [[42]]⏎⏎The answer is not 41.
! 100 ;; The answer is 42. This answer is right, I am 100% sure.
! 3 ;; The answer is 18 dollars for 3 days.
# several marks
= 4 ;; first [[3]], then [[4]]
= 3 ;; #### 4 or rather [[3]]
= 4 ;; <think>maybe [[3]]</think>The answer is 4.
= 4 ;; <think>[[3]]</think>⏎⏎<answer>4</answer>
= 5 ;; <answer>[[5]]</answer>
= 5 ;; <answer>The answer is 5</answer>
! 3 ;; first [[3]], then [[4]]
! 3 ;; <think>[[3]]</think>So it is 4.
! 42 ;; #### 42 or #### 24
# gsm8k
= She has 2 and 40.⏎#### 42 ;; 42
= #### 1,234 ;; [[1234]]
= #### 42 ;; #### 42
= 18 ;; She makes 9 * 2 = $<<9*2=18>>18 every day.⏎#### 18
= 9 ;; 6+3=<<6+3=9>>9 times
= #### -3 ;; The answer is −3.
! #### 42 ;; #### 43
! #### 1,234 ;; 1,235
# cut off
= 3 ;; [[3]] and \boxed{4
! 42 ;; \boxed{42
! 42 ;; \boxed{
! 42 ;; 
! 42 ;; I think
! 42 ;; [[]]
! \frac{1}{2} ;; \boxed{\frac{1}{2
# scripts and markup
= 99 ;; 小明有99颗。
= 99 ;; 答案是99。
= 99 ;; 最终答案：**99**
= 99 ;; [[99颗]]
= 90 ;; *90*
= 90 ;; **90**
= 90 ;; <b>90</b>
= 90 ;; `90`
= 18 ;; **Final Answer:** 18
= 18 ;; **Answer**: $18$
= 42 ;; Die Antwort lautet 42.
= 42 ;; Ответ: 42
= \frac{3}{4} ;; Thus⏎\[ x = \frac{3}{4}. \]
= 42 ;; The answer is⏎⏎$$⏎42⏎$$
! 99 ;; 小明有98颗。
! 99 ;; 答案是9，不是99。
! 90 ;; *9*0
"""


def cases() -> list[tuple[str, str, str, float]]:
    """(kind, gold, completion, score) of every line."""
    found, kind = [], ""
    score = {"=": 1.0, "!": 0.0, "?": float("nan")}
    for line in TABLE.strip("\n").split("\n"):
        if line.startswith("# "):
            kind = line[2:]
            continue
        gold, completion = line[2:].replace("⏎", "\n").split(" ;; ")
        found.append((kind, gold, _boxed(completion), score[line[0]]))
    return found


def _boxed(text: str) -> str:
    while (start := text.find("[[")) >= 0:
        depth, end = 0, start + 2
        while not (text.startswith("]]", end) and depth <= 0 and text[end + 2 : end + 3] != "]"):
            depth += (text[end] in "{") - (text[end] in "}")
            end += 1
        text = text[:start] + r"\boxed{" + text[start + 2 : end] + "}" + text[end + 2 :]
    return text
